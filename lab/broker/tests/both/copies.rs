//! `CC` and `BCC`: headers that name further routing keys.

use lapin::BasicProperties;
use lapin::options::BasicRejectOptions;
use lapin::types::{AMQPValue, FieldArray};
use lapin::{Channel, message::Delivery};

use super::topology::{bind, broker_and_channel, confirm, queues};
use crate::support::{
    TestBroker, arrives, assert_refused, body, declare, eventually, get, int, publish_with, table,
    take, text, waiting,
};

fn list(keys: &[&str]) -> AMQPValue {
    let keys: Vec<_> = keys.iter().map(|key| text(key)).collect();
    AMQPValue::FieldArray(FieldArray::from(keys))
}

fn with(headers: &[(&str, AMQPValue)]) -> BasicProperties {
    BasicProperties::default().with_headers(table(headers))
}

fn header(delivery: &Delivery, name: &str) -> Option<AMQPValue> {
    let headers = delivery.properties.headers().as_ref()?;
    headers.inner().get(name).cloned()
}

/// The routing keys that the last death of a message names.
fn keys_of_death(delivery: &Delivery) -> Vec<AMQPValue> {
    let deaths = header(delivery, "x-death").unwrap();
    let death = deaths.as_array().unwrap().as_slice()[0].clone();
    let keys = death.as_field_table().unwrap().inner()["routing-keys"].clone();
    keys.as_array().unwrap().as_slice().to_vec()
}

#[tokio::test]
async fn a_message_goes_to_the_queues_of_all_its_keys_and_shows_only_cc() {
    let (_broker, channel) = broker_and_channel().await;
    queues(&channel, &["a", "b", "c"]).await;
    // The keys without a queue, and what is no text, are passed over.
    let mut cc = list(&["b", "nowhere", "a"]);
    if let AMQPValue::FieldArray(keys) = &mut cc {
        keys.push(int(5));
    }
    let headers = [
        ("CC", cc.clone()),
        ("BCC", list(&["c", "b"])),
        ("x", int(1)),
    ];
    publish_with(&channel, "", "a", "m", with(&headers)).await;
    for queue in ["a", "b", "c"] {
        let got = arrives(&channel, queue).await;
        assert_eq!(body(&got), "m");
        assert_eq!(got.routing_key.as_str(), "a", "the publisher's key");
        assert_eq!(header(&got, "CC"), Some(cc.clone()));
        assert_eq!(header(&got, "BCC"), None);
        assert_eq!(header(&got, "x"), Some(int(1)));
        assert_eq!(waiting(&channel, queue).await, 0, "once in {queue}");
    }
}

#[tokio::test]
async fn an_exchange_routes_by_each_of_the_keys() {
    let (_broker, channel) = broker_and_channel().await;
    queues(&channel, &["orders", "mails", "all"]).await;
    for (queue, key) in [("orders", "order.*"), ("mails", "mail.#"), ("all", "#")] {
        bind(&channel, queue, "amq.topic", key).await.unwrap();
    }
    let headers = [("CC", list(&["mail.sent.late"]))];
    publish_with(&channel, "amq.topic", "order.placed", "m", with(&headers)).await;
    for queue in ["orders", "mails", "all"] {
        arrives(&channel, queue).await;
        assert_eq!(waiting(&channel, queue).await, 0, "once in {queue}");
    }
}

#[tokio::test]
async fn what_is_no_list_is_refused() {
    let broker = TestBroker::start().await;
    for (name, value, kind) in [
        ("CC", text("b"), "longstr"),
        ("BCC", int(5), "signedint"),
        ("CC", AMQPValue::Void, "void"),
    ] {
        let (_connection, channel) = broker.channel().await;
        declare(&channel, "a", &[]).await.unwrap();
        confirm(&channel).await;
        let sent = channel
            .basic_publish(
                "".into(),
                "a".into(),
                Default::default(),
                b"m",
                with(&[(name, value)]),
            )
            .await
            .unwrap();
        let words = format!("invalid message: {{unacceptable_type_in_header,\"{name}\",{kind}}}");
        assert_refused(sent.await, 406, &words);
    }
}

#[tokio::test]
async fn a_dead_letter_with_a_key_of_its_queue_lists_the_cc_keys_and_loses_them() {
    let (_broker, channel) = broker_and_channel().await;
    queues(&channel, &["dead", "b", "c"]).await;
    let arguments = [
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text("dead")),
    ];
    declare(&channel, "a", &arguments).await.unwrap();
    let headers = [("CC", list(&["b"])), ("BCC", list(&["c"]))];
    publish_with(&channel, "", "a", "m", with(&headers)).await;
    for queue in ["b", "c"] {
        arrives(&channel, queue).await;
    }
    reject(&channel, "a").await;
    let dead = arrives(&channel, "dead").await;
    assert_eq!(header(&dead, "CC"), None);
    assert_eq!(keys_of_death(&dead), [text("a"), text("b")]);
    for queue in ["b", "c"] {
        assert!(take(&channel, queue).await.is_none(), "{queue}");
    }
}

#[tokio::test]
async fn a_dead_letter_that_keeps_its_key_keeps_all_its_keys() {
    let (_broker, channel) = broker_and_channel().await;
    queues(&channel, &["b", "c"]).await;
    for queue in ["b", "c"] {
        bind(&channel, queue, "amq.direct", queue).await.unwrap();
    }
    let arguments = [("x-dead-letter-exchange", text("amq.direct"))];
    declare(&channel, "a", &arguments).await.unwrap();
    let headers = [("CC", list(&["b"])), ("BCC", list(&["c"]))];
    publish_with(&channel, "", "a", "m", with(&headers)).await;
    for queue in ["b", "c"] {
        arrives(&channel, queue).await;
    }
    reject(&channel, "a").await;
    for queue in ["b", "c"] {
        let dead = arrives(&channel, queue).await;
        assert_eq!(dead.routing_key.as_str(), "a");
        assert_eq!(header(&dead, "CC"), Some(list(&["b"])));
        assert_eq!(keys_of_death(&dead), [text("a"), text("b")]);
    }
}

async fn reject(channel: &Channel, queue: &str) {
    let got = eventually("the message", || get(channel, queue)).await;
    got.reject(BasicRejectOptions { requeue: false })
        .await
        .unwrap();
}
