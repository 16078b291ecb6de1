//! What outlives the process: durable exchanges and queues, their bindings, persistent messages.
//!
//! Here the broker stops in order; the end-to-end tests kill it.

use std::path::Path;

use broker::{Config, StoreError};
use lapin::options::{BasicAckOptions, BasicRejectOptions, QueuePurgeOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel, Connection, ExchangeKind};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::both::topology::{
    self, bind, confirm, delete_exchange, delete_queue, durable_exchange, exchange_exists,
    exchange_with, queue_exists, queue_with, queues, unbind,
};
use crate::support::{
    TestBroker, arrives, assert_refused, body, get, int, publish, publish_with, table, take, text,
    waiting,
};

fn kept_in(folder: &Path) -> Config {
    Config {
        store: Some(folder.join("broker.db")),
        ..Config::default()
    }
}

async fn start(folder: &Path) -> TestBroker {
    TestBroker::start_with(kept_in(folder)).await
}

async fn stop(broker: TestBroker) {
    broker.begin_shutdown();
    broker.ended().await;
}

/// A channel on which publishing waits for the confirm.
async fn confirming(broker: &TestBroker) -> (Connection, Channel) {
    let (connection, channel) = broker.channel().await;
    confirm(&channel).await;
    (connection, channel)
}

async fn durable_queue(channel: &Channel, name: &str, arguments: &[(&str, AMQPValue)]) {
    queue_with(channel, name, topology::durable_queue(), arguments)
        .await
        .unwrap();
}

async fn topic(channel: &Channel, name: &str) {
    exchange_with(channel, name, ExchangeKind::Topic, durable_exchange(), &[])
        .await
        .unwrap();
}

fn persistent() -> BasicProperties {
    BasicProperties::default().with_delivery_mode(2)
}

#[tokio::test]
async fn durable_queues_keep_persistent_messages_and_nothing_else_stays() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (_connection, channel) = confirming(&broker).await;
    durable_queue(&channel, "kept", &[]).await;
    queues(&channel, &["gone"]).await;
    let properties = persistent()
        .with_message_id("id-1".into())
        .with_headers(table(&[("traceparent", text("00-a-b-01"))]));
    publish_with(&channel, "", "kept", "first", properties.clone()).await;
    publish(&channel, "", "kept", "transient").await;
    publish_with(&channel, "", "kept", "second", persistent()).await;
    publish_with(&channel, "", "gone", "m", persistent()).await;
    stop(broker).await;

    let broker = start(folder.path()).await;
    let (_connection, channel) = broker.channel().await;
    let first = take(&channel, "kept").await.unwrap();
    assert_eq!((body(&first).as_str(), first.redelivered), ("first", true));
    assert_eq!(first.properties, properties);
    assert_eq!(body(&take(&channel, "kept").await.unwrap()), "second");
    assert!(take(&channel, "kept").await.is_none());
    assert_refused(queue_exists(&channel, "gone").await, 404, "no queue 'gone'");
}

#[tokio::test]
async fn what_was_done_with_a_message_is_kept_too() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (connection, channel) = broker.channel().await;
    durable_queue(&channel, "q", &[]).await;
    durable_queue(&channel, "purged", &[]).await;
    durable_queue(&channel, "deleted", &[]).await;
    for text in ["taken", "acknowledged", "unacknowledged", "waiting"] {
        publish_with(&channel, "", "q", text, persistent()).await;
    }
    publish_with(&channel, "", "purged", "m", persistent()).await;
    publish_with(&channel, "", "deleted", "m", persistent()).await;
    take(&channel, "q").await.unwrap();
    let acknowledged = get(&channel, "q").await.unwrap();
    acknowledged.ack(BasicAckOptions::default()).await.unwrap();
    let unacknowledged = get(&channel, "q").await.unwrap();
    assert_eq!(body(&unacknowledged), "unacknowledged");
    let purge = QueuePurgeOptions::default();
    channel.queue_purge("purged".into(), purge).await.unwrap();
    delete_queue(&channel, "deleted").await.unwrap();
    stop(broker).await;
    drop(connection);

    let broker = start(folder.path()).await;
    let (_connection, channel) = broker.channel().await;
    assert_eq!(waiting(&channel, "purged").await, 0);
    assert_eq!(body(&take(&channel, "q").await.unwrap()), "unacknowledged");
    assert_eq!(body(&take(&channel, "q").await.unwrap()), "waiting");
    assert!(take(&channel, "q").await.is_none());
    // The name is free: a queue of it begins empty.
    durable_queue(&channel, "deleted", &[]).await;
    assert_eq!(waiting(&channel, "deleted").await, 0);
}

#[tokio::test]
async fn exchanges_bindings_and_arguments_come_back_as_they_were_left() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (_connection, channel) = broker.channel().await;
    topic(&channel, "shop").await;
    topic(&channel, "closed").await;
    let limit = [
        ("x-max-length", int(1)),
        ("x-overflow", text("reject-publish")),
    ];
    durable_queue(&channel, "q", &limit).await;
    bind(&channel, "q", "shop", "order.*").await.unwrap();
    bind(&channel, "q", "shop", "mistake.#").await.unwrap();
    unbind(&channel, "q", "shop", "mistake.#").await.unwrap();
    delete_exchange(&channel, "closed").await.unwrap();
    stop(broker).await;

    let broker = start(folder.path()).await;
    let (_connection, channel) = broker.channel().await;
    publish(&channel, "shop", "mistake.placed", "wrong").await;
    publish(&channel, "shop", "order.placed", "right").await;
    publish(&channel, "shop", "order.placed", "too much").await;
    assert_eq!(body(&arrives(&channel, "q").await), "right");
    assert!(take(&channel, "q").await.is_none());
    let (_connection, channel) = broker.channel().await;
    let refused = queue_with(&channel, "q", topology::durable_queue(), &[]).await;
    assert_refused(refused, 406, "inequivalent arg 'x-max-length'");
    let (_connection, channel) = broker.channel().await;
    let looked = exchange_exists(&channel, "closed").await;
    assert_refused(looked, 404, "no exchange 'closed'");
}

#[tokio::test]
async fn a_message_that_dies_while_nobody_looks_goes_where_it_would_have_gone() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (_connection, channel) = confirming(&broker).await;
    durable_queue(&channel, "dead", &[]).await;
    let arguments = [
        ("x-message-ttl", int(300)),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text("dead")),
    ];
    durable_queue(&channel, "short", &arguments).await;
    publish_with(&channel, "", "short", "m", persistent()).await;
    stop(broker).await;

    let broker = start(folder.path()).await;
    let (_connection, channel) = broker.channel().await;
    assert_eq!(body(&arrives(&channel, "dead").await), "m");
    assert_eq!(waiting(&channel, "short").await, 0);
}

#[tokio::test]
async fn confirms_come_in_order_whether_a_message_is_kept_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (_connection, channel) = confirming(&broker).await;
    durable_queue(&channel, "q", &[]).await;
    let mut confirms = Vec::new();
    for n in 0..200 {
        let properties = match n % 3 {
            0 => BasicProperties::default(),
            _ => persistent(),
        };
        let sent = channel
            .basic_publish("".into(), "q".into(), Default::default(), b"m", properties)
            .await
            .unwrap();
        confirms.push(sent);
    }
    for confirm in confirms {
        let confirmed = crate::support::soon("a confirm", confirm).await.unwrap();
        assert!(confirmed.is_ack(), "{confirmed:?}");
    }
    assert_eq!(waiting(&channel, "q").await, 200);
}

async fn refusal(config: Config) -> StoreError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let run = broker::run(listener, config, CancellationToken::new());
    crate::support::soon("a refusal", run)
        .await
        .expect_err("the store must be refused")
}

#[tokio::test]
async fn a_store_that_cannot_be_used_is_said_to_be_so() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    // Its answer to anything tells that it runs.
    broker.channel().await;
    let refused = refusal(kept_in(folder.path())).await;
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    stop(broker).await;

    let nowhere = refusal(kept_in(&folder.path().join("nowhere")))
        .await
        .to_string();
    assert!(
        nowhere.contains("nowhere/broker.db: unable to open"),
        "{nowhere}"
    );

    let text = folder.path().join("text");
    std::fs::write(
        &text,
        "this is no database, and is longer than a header".repeat(9),
    )
    .unwrap();
    let config = Config {
        store: Some(text),
        ..Config::default()
    };
    let refused = refusal(config).await.to_string();
    assert!(refused.contains("not a database"), "{refused}");

    let newer = folder.path().join("newer.db");
    let connection = rusqlite::Connection::open(&newer).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let config = Config {
        store: Some(newer),
        ..Config::default()
    };
    let refused = refusal(config).await.to_string();
    assert!(refused.contains("has layout 99"), "{refused}");
}

#[tokio::test]
async fn a_quorum_queue_keeps_its_messages_whether_they_ask_for_it_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (_connection, channel) = confirming(&broker).await;
    durable_queue(&channel, "q", &[("x-queue-type", text("quorum"))]).await;
    publish(&channel, "", "q", "m").await;
    stop(broker).await;

    let broker = start(folder.path()).await;
    let (_connection, channel) = broker.channel().await;
    assert_eq!(body(&arrives(&channel, "q").await), "m");
}

#[tokio::test]
async fn bindings_between_exchanges_and_further_keys_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (_connection, channel) = confirming(&broker).await;
    for (name, kind, alternate) in [
        ("in", ExchangeKind::Headers, Some("rest")),
        ("out", ExchangeKind::Fanout, None),
        ("cut", ExchangeKind::Fanout, None),
        ("rest", ExchangeKind::Fanout, None),
    ] {
        let arguments: Vec<_> = alternate
            .map(|name| ("alternate-exchange", text(name)))
            .into_iter()
            .collect();
        exchange_with(&channel, name, kind, durable_exchange(), &arguments)
            .await
            .unwrap();
    }
    for to in ["out", "cut"] {
        channel
            .exchange_bind(
                to.into(),
                "in".into(),
                "".into(),
                Default::default(),
                table(&[("a", int(1))]),
            )
            .await
            .unwrap();
    }
    channel
        .exchange_unbind(
            "cut".into(),
            "in".into(),
            "".into(),
            Default::default(),
            table(&[("a", int(1))]),
        )
        .await
        .unwrap();
    let dying = [("x-dead-letter-exchange", text(""))];
    for (queue, exchange, arguments) in [
        ("q", "out", &[][..]),
        ("c", "cut", &[]),
        ("r", "rest", &[]),
        ("dying", "amq.fanout", &dying),
    ] {
        durable_queue(&channel, queue, arguments).await;
        bind(&channel, queue, exchange, "").await.unwrap();
    }
    // A blind copy is remembered with the message, though no header tells of it any more.
    let copies = AMQPValue::FieldArray(vec![text("r")].into());
    let copied = persistent().with_headers(table(&[("BCC", copies)]));
    publish_with(&channel, "amq.fanout", "q", "dies", copied).await;
    stop(broker).await;

    let broker = start(folder.path()).await;
    let (_connection, channel) = confirming(&broker).await;
    for (headers, queue) in [([("a", int(1))], "q"), ([("a", int(2))], "r")] {
        let properties = BasicProperties::default().with_headers(table(&headers));
        publish_with(&channel, "in", "", queue, properties).await;
        assert_eq!(body(&take(&channel, queue).await.unwrap()), queue);
    }
    assert_eq!(waiting(&channel, "c").await, 0);
    let dies = get(&channel, "dying").await.unwrap();
    dies.reject(BasicRejectOptions { requeue: false })
        .await
        .unwrap();
    for queue in ["q", "r"] {
        assert_eq!(body(&arrives(&channel, queue).await), "dies", "{queue}");
    }
}

#[tokio::test]
async fn a_store_of_the_first_layout_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (_connection, channel) = confirming(&broker).await;
    topic(&channel, "x").await;
    durable_queue(&channel, "q", &[]).await;
    bind(&channel, "q", "x", "#").await.unwrap();
    publish_with(&channel, "x", "k", "before", persistent()).await;
    stop(broker).await;
    // The file as version 1 wrote it.
    let file = rusqlite::Connection::open(folder.path().join("broker.db")).unwrap();
    file.execute_batch(
        "DROP TABLE exchange_bindings;
         ALTER TABLE exchanges DROP COLUMN alternate;
         ALTER TABLE messages DROP COLUMN copies;
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(file);

    let broker = start(folder.path()).await;
    let (_connection, channel) = confirming(&broker).await;
    publish_with(&channel, "x", "k", "after", persistent()).await;
    for expected in ["before", "after"] {
        assert_eq!(body(&take(&channel, "q").await.unwrap()), expected);
    }
}
