//! A broker that the shop cannot use: the message names it and says what would be right, and no order is
//! lost.

use lapin::{
    Channel,
    options::{QueueDeclareOptions, QueueDeleteOptions},
    types::FieldTable,
};

use crate::{
    collector::spawn,
    node::free_ports,
    real::{a_virtual_host, there_is_rabbitmq},
    support::{self, Up, eventually, run, tracelab},
};

/// The error of a run that is refused because of this broker.
async fn refusal(amqp: &str) -> String {
    let (code, stdout, stderr) = run(&["run", "checkout", "--amqp", amqp]).await;
    assert_eq!((code, stdout.as_str()), (3, ""), "{stderr}");
    assert!(stderr.contains("--amqp"), "{stderr}");
    assert!(!stderr.contains("guest"), "it shows a user: {stderr}");
    assert_eq!(stderr.trim().lines().count(), 1, "{stderr}");
    stderr
}

/// Declares a queue with the name of the shop's, and with other properties.
async fn declare_otherwise(channel: &Channel) {
    delete(channel).await;
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare("email".into(), options, FieldTable::default())
        .await
        .unwrap();
}

async fn delete(channel: &Channel) {
    channel
        .queue_delete("email".into(), QueueDeleteOptions::default())
        .await
        .unwrap();
}

/// `amqp` must be a broker that no shop uses.
async fn what_stands_in_the_way_is_named(amqp: &str) {
    let (connection, channel) = support::amqp(amqp).await;
    declare_otherwise(&channel).await;
    let said = refusal(amqp).await;
    for word in [
        "declared otherwise",
        "queue 'email'",
        "virtual host of its own",
    ] {
        assert!(said.contains(word), "{said}");
    }
    delete(&channel).await;
    connection.close(200, "".into()).await.unwrap();

    let (place, _) = amqp.rsplit_once('/').unwrap();
    let said = refusal(&format!("{place}/nowhere")).await;
    assert!(said.contains("vhost nowhere not found"), "{said}");
    assert!(said.contains("add_vhost"), "{said}");

    let up = Up::start_with(&["--amqp", amqp]).await;
    let said = run(&["run", "checkout", "--amqp", amqp]).await.2;
    assert!(said.contains("another shop consumes"), "{said}");
    // It took no message away from the other shop.
    let placed = up.order().await.expect(201);
    up.mail(placed.text("message_id")).await;
    drop(up);
    // The queues of a shop that has ended are soon free again.
    Up::start_with(&["--amqp", amqp]).await;
}

#[tokio::test]
async fn what_stands_in_the_way_on_the_embedded_broker_is_named() {
    let (_broker, ready) = spawn(tracelab().arg("broker"), 0).await;
    let address = ready["listening"].as_str().unwrap();
    what_stands_in_the_way_is_named(&format!("amqp://guest:guest@{address}/%2f")).await;
}

#[tokio::test]
async fn what_stands_in_the_way_on_rabbitmq_is_named() {
    if !there_is_rabbitmq() {
        return;
    }
    let amqp = a_virtual_host().await;
    what_stands_in_the_way_is_named(&amqp).await;
    let said = refusal(&amqp.replace("guest:guest", "somebody:secret")).await;
    assert!(said.contains("ACCESS_REFUSED"), "{said}");
    assert!(said.contains("user and password"), "{said}");
    assert!(!said.contains("secret"), "{said}");
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_named() {
    let [port] = free_ports();
    let said = refusal(&format!("amqp://guest:guest@127.0.0.1:{port}/%2f")).await;
    assert!(said.contains(&format!("127.0.0.1:{port}")), "{said}");
    assert!(said.contains("refused"), "{said}");
}

#[tokio::test]
async fn a_queue_that_somebody_declares_otherwise_delays_mails_and_loses_none() {
    let up = Up::start().await;
    let (connection, channel) = up.amqp().await;
    declare_otherwise(&channel).await;
    eventually("the email service to say what is the matter", async || {
        let said = up.said();
        (said.contains("declared otherwise") && said.contains("queue 'email'")).then_some(())
    })
    .await;
    // Its message cannot be sent now; the order is complete all the same.
    let placed = up.order().await.expect(201);
    delete(&channel).await;
    up.mail(placed.text("message_id")).await;
    connection.close(200, "".into()).await.unwrap();
}
