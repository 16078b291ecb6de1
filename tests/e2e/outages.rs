//! Outages: while a part is away the shop continues, reports it, and loses nothing.

use std::{net::TcpListener, process::Stdio};

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};
use trace::{Kind, StatusCode, Trace};

use crate::support::{PATIENCE, Up, eventually, is_alive, reply, tracelab};

const SERVICES: [&str; 5] = ["checkout", "payment", "provider", "inventory", "email"];

/// Places orders until each service was killed once; returns the orders that were answered with success.
async fn order_while_killing(up: &mut Up) -> Vec<(String, String)> {
    let mut answered = Vec::new();
    for service in SERVICES {
        let killed = up.pid(service);
        let mut orders: Vec<_> = (0..6).map(|_| Box::pin(try_order(up))).collect();
        // Some orders are running when the process dies, and the others come later.
        let rest = orders.split_off(3);
        let first = futures::future::join_all(orders);
        let kill = async {
            tokio::task::yield_now().await;
            kill_process(killed, Signal::KILL).unwrap();
        };
        let (first, ()) = tokio::join!(first, kill);
        answered.extend(first.into_iter().flatten());
        answered.extend(futures::future::join_all(rest).await.into_iter().flatten());
        eventually(&format!("{service} to be back"), async || {
            let url = format!("{}/healthz", up.url(service));
            let lab = up.get_json("/api/lab").await;
            let pid = lab["services"][service]["pid"].as_i64()?;
            let healthy = up.client.get(url).send().await.ok()?.status() == 200;
            (healthy && pid != i64::from(killed.as_raw_nonzero().get())).then_some(())
        })
        .await;
        up.look_again().await;
    }
    answered
}

/// The ids of an order and of its message, if the order was answered with success.
async fn try_order(up: &Up) -> Option<(String, String)> {
    let cart_id = crate::support::uuid();
    let url = format!("{}/carts/{cart_id}", up.url("checkout"));
    let lines = serde_json::json!({ "lines": crate::support::some_lines() });
    up.client.put(url).json(&lines).send().await.ok()?;
    let reply = up.checkout_request(&cart_id).send().await.ok()?;
    let placed = reply.status() == 201;
    let body: Value = reply.json().await.ok()?;
    let text = |field: &str| Some(body[field].as_str()?.to_owned());
    if placed {
        Some((text("order_id")?, text("message_id")?))
    } else {
        None
    }
}

#[tokio::test]
async fn killing_any_service_loses_no_order_that_was_answered_with_success() {
    let mut up = Up::start().await;
    let answered = order_while_killing(&mut up).await;
    assert!(!answered.is_empty(), "no order succeeded at all");
    for (order_id, message_id) in &answered {
        let url = format!("{}/orders/{order_id}", up.url("checkout"));
        let kept = reply(up.client.get(url)).await.expect(200);
        assert_eq!(kept.text("status"), "completed");
        up.mail(message_id).await;
    }
    // No order is left pending either.
    let database = format!("sqlite://{}", up.data.path().join("checkout.db").display());
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(&database).await.unwrap();
    eventually("no order to be pending", async || {
        let (pending,): (i64,) =
            sqlx::query_as("SELECT count(*) FROM orders WHERE status = 'pending'")
                .fetch_one(&pool)
                .await
                .unwrap();
        (pending == 0).then_some(())
    })
    .await;
    let (completed,): (i64,) =
        sqlx::query_as("SELECT count(*) FROM orders WHERE status = 'completed'")
            .fetch_one(&pool)
            .await
            .unwrap();
    eventually("one mail for each order", async || {
        (up.mails().len() == usize::try_from(completed).unwrap()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_dead_service_is_restarted_and_this_is_said() {
    let mut up = Up::start().await;
    let before = up.pid("inventory");
    kill_process(before, Signal::KILL).unwrap();
    eventually("the restart to be said", async || {
        up.said().contains("inventory").then_some(())
    })
    .await;
    eventually("inventory to be back", async || {
        let lab = up.get_json("/api/lab").await;
        let pid = lab["services"]["inventory"]["pid"].as_i64()?;
        (pid != i64::from(before.as_raw_nonzero().get())).then_some(())
    })
    .await;
    up.look_again().await;
    eventually("an order to succeed", async || try_order(&up).await).await;
}

#[tokio::test]
async fn without_a_broker_the_checkout_succeeds_and_the_mail_comes_later_in_the_same_trace() {
    let mut up = Up::start().await;
    let broker = up.pid("broker");
    // The broker is stopped, not gone: the lab does not restart it, and its clients get no answer.
    kill_process(broker, Signal::STOP).unwrap();
    let placed = up.order().await.expect(201);
    assert!(
        up.mails()
            .iter()
            .all(|path| !path.ends_with(placed.text("message_id")))
    );
    kill_process(broker, Signal::KILL).unwrap();
    up.mail(placed.text("message_id")).await;

    let mended = |trace: &Trace| {
        let sent = trace
            .spans()
            .iter()
            .filter(|span| span.kind == Kind::Producer);
        let (failed, done): (Vec<_>, Vec<_>) =
            sent.partition(|span| span.status.code == StatusCode::Error);
        let mailed = trace.spans().iter().any(|span| span.name == "send mail");
        !failed.is_empty() && !done.is_empty() && mailed
    };
    let trace = up
        .trace_when(
            placed.trace_id,
            "the failed publish, the relay and the mail",
            mended,
        )
        .await;
    assert!(trace.spans().iter().any(|span| span.name == "relay outbox"));
    up.look_again().await;
    assert_ne!(up.pid("broker"), broker);
}

#[tokio::test]
async fn without_a_receiver_the_shop_goes_on_and_says_that_spans_are_lost() {
    // Nothing listens on port 1. By default a batch is tried for half a minute.
    let up = Up::start_in(
        &[("OTEL_BSP_EXPORT_TIMEOUT", "500")],
        &["--otlp", "http://127.0.0.1:1"],
    )
    .await;
    let placed = up.order().await.expect(201);
    up.mail(placed.text("message_id")).await;
    eventually("the loss to be said, and its reason", async || {
        let said = up.said();
        (said.contains("spans are being lost") && said.contains("Connection refused")).then_some(())
    })
    .await;
    let counts = flushed(&up, "checkout").await;
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert!(count("failed") > 0, "{counts}");
    assert_eq!(count("exported"), 0, "{counts}");
    assert_eq!(
        count("ended"),
        count("failed") + count("dropped") + count("queued"),
        "{counts}"
    );
}

#[tokio::test]
async fn a_receiver_that_comes_late_gets_every_span() {
    let late = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = late.local_addr().unwrap().to_string();
    drop(late);
    let up = Up::start_with(&["--otlp", &format!("http://{address}")]).await;
    let orders = (0..20).map(|_| up.order());
    for placed in futures::future::join_all(orders).await {
        up.mail(placed.expect(201).text("message_id")).await;
    }

    let mut sink = tracelab()
        .args(["sink", "--grpc", &address])
        .args(["--http", "127.0.0.1:0", "--page", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(sink.stdout.take().unwrap()).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
    let ready: Value = serde_json::from_str(&line.unwrap()).unwrap();
    let stats = format!("{}/api/stats", ready["page"].as_str().unwrap());
    eventually("every span in the sink", async || {
        let mut ended = 0;
        for service in SERVICES.iter().filter(|service| **service != "provider") {
            let counts = flushed(&up, service).await;
            assert_eq!(counts["failed"], 0, "{service}: {counts}");
            assert_eq!(counts["dropped"], 0, "{service}: {counts}");
            ended += counts["ended"].as_u64().unwrap();
        }
        let stats: Value = up
            .client
            .get(&stats)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        (stats["spans"]["stored"] == ended && ended > 20 * 30).then_some(())
    })
    .await;
    assert!(!up.said().contains("lost"), "{}", up.said());
}

/// The counts of a service's spans, after a flush.
async fn flushed(up: &Up, service: &str) -> Value {
    let flush = up.client.post(format!("{}/lab/flush", up.url(service)));
    flush.send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn the_processes_of_a_lab_end_with_the_one_that_started_them() {
    let up = Up::start().await;
    let pids: Vec<_> = SERVICES
        .iter()
        .chain(&["broker"])
        .map(|service| up.pid(service))
        .collect();
    kill_process(up.supervisor(), Signal::KILL).unwrap();
    for pid in pids {
        eventually("every process to end", async || {
            (!is_alive(pid)).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn ctrl_c_stops_everything() {
    let up = Up::start().await;
    let pids: Vec<_> = SERVICES
        .iter()
        .chain(&["broker"])
        .map(|service| up.pid(service))
        .collect();
    let (code, said) = up.stop().await;
    assert_eq!(code, 0, "{said}");
    assert!(pids.into_iter().all(|pid| !is_alive(pid)), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[tokio::test]
async fn a_mail_that_cannot_be_kept_is_tried_three_times_and_then_buried() {
    let up = Up::start().await;
    // A file takes the place of the mail folder.
    let folder = up.data.path().join("mail");
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();
    let placed = up.order().await.expect(201);

    let buried = |trace: &Trace| {
        let mut names = trace.spans().iter().map(|span| span.name.as_str());
        names.any(|name| name == "send email.dead") && trace.orphans().count() == 0
    };
    let trace = up.trace_when(placed.trace_id, "the burial", buried).await;
    let tries: Vec<_> = trace
        .spans()
        .iter()
        .filter(|span| span.name == "process shop:order.placed:email")
        .collect();
    assert_eq!(tries.len(), 3);
    assert!(
        tries
            .iter()
            .all(|span| span.status.code == StatusCode::Error)
    );

    let (connection, channel) = up.amqp().await;
    let dead = eventually("the message in the dead-letter queue", async || {
        let options = lapin::options::BasicGetOptions { no_ack: true };
        channel
            .basic_get("email.dead".into(), options)
            .await
            .unwrap()
    })
    .await;
    let message_id = dead.properties.message_id().as_ref().unwrap();
    assert_eq!(message_id.as_str(), placed.text("message_id"));
    connection.close(200, "".into()).await.unwrap();
}

#[tokio::test]
async fn a_message_that_is_delivered_twice_is_answered_with_one_mail() {
    let up = Up::start().await;
    let placed = up.order().await.expect(201);
    let message_id = placed.text("message_id");
    up.mail(message_id).await;
    let mail = up
        .data
        .path()
        .join("mail")
        .join(format!("{message_id}.eml"));
    // If the mail were written again, the file would exist again.
    std::fs::remove_file(&mail).unwrap();

    let (connection, channel) = up.amqp().await;
    publish(&channel, message_id).await;
    let query = format!("/api/traces?service=email&attribute=messaging.message.id={message_id}");
    eventually("both deliveries to be processed", async || {
        (up.get_json(&query).await["traces"].as_array()?.len() == 2).then_some(())
    })
    .await;
    assert!(!mail.exists(), "the mail was sent twice");
    connection.close(200, "".into()).await.unwrap();
}

#[tokio::test]
async fn a_message_that_is_given_out_many_times_at_once_is_answered_with_one_mail() {
    // At this pace a mail takes long enough for all messages to be processed at the same time.
    let up = Up::start_with(&["--pace", "textbook"]).await;
    let message_id = crate::support::uuid();
    let (connection, channel) = up.amqp().await;
    let copies = 20;
    for _ in 0..copies {
        publish(&channel, &message_id).await;
    }
    let query = format!("/api/traces?service=email&attribute=messaging.message.id={message_id}");
    let traces = eventually("each delivery to be processed", async || {
        let traces = up.get_json(&query).await["traces"].as_array()?.clone();
        (traces.len() == copies).then_some(traces)
    })
    .await;
    let mut sent = 0;
    for found in traces {
        let id = found["trace_id"].as_str().unwrap().parse().unwrap();
        let trace = up.trace(id).await.unwrap();
        let is_sending = |span: &&trace::Span| span.name == "send mail";
        sent += trace.spans().iter().filter(is_sending).count();
    }
    assert_eq!(sent, 1);
    up.mail(&message_id).await;
    connection.close(200, "".into()).await.unwrap();
}

#[tokio::test]
async fn a_queue_that_is_deleted_is_declared_anew_and_no_later_mail_is_missing() {
    let up = Up::start().await;
    up.mail(up.order().await.expect(201).text("message_id"))
        .await;
    let (connection, channel) = up.amqp().await;
    delete(&channel, "email").await;
    let placed = up.order().await.expect(201);
    up.mail(placed.text("message_id")).await;
    connection.close(200, "".into()).await.unwrap();
}

#[tokio::test]
async fn a_message_that_cannot_be_buried_is_buried_as_soon_as_its_queue_is_back() {
    let up = Up::start().await;
    // A file takes the place of the mail folder.
    let folder = up.data.path().join("mail");
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();
    let (connection, channel) = up.amqp().await;
    delete(&channel, "email.dead").await;
    connection.close(200, "".into()).await.unwrap();
    let placed = up.order().await.expect(201);
    let dead = eventually("the message in the dead-letter queue", async || {
        // A check of a queue that does not exist closes the channel.
        let (_connection, channel) = up.amqp().await;
        let options = lapin::options::BasicGetOptions { no_ack: true };
        channel.basic_get("email.dead".into(), options).await.ok()?
    })
    .await;
    let message_id = dead.properties.message_id().as_ref().unwrap();
    assert_eq!(message_id.as_str(), placed.text("message_id"));
}

async fn delete(channel: &lapin::Channel, queue: &str) {
    let options = lapin::options::QueueDeleteOptions::default();
    channel.queue_delete(queue.into(), options).await.unwrap();
}

/// Publishes a message that asks for a mail, as no checkout would.
async fn publish(channel: &lapin::Channel, message_id: &str) {
    let message = serde_json::json!({
        "message_id": message_id, "order_id": crate::support::uuid(), "email": "ada@example.org",
        "lines": [], "total_cents": 0, "discount_cents": 0,
    });
    let properties = lapin::BasicProperties::default().with_message_id(message_id.into());
    channel
        .basic_publish(
            "shop".into(),
            "order.placed".into(),
            lapin::options::BasicPublishOptions::default(),
            message.to_string().as_bytes(),
            properties,
        )
        .await
        .unwrap();
}
