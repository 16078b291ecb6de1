//! Exchanges: what they route where, and how they come and go.

use lapin::options::{ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions};
use lapin::types::FieldTable;
use lapin::{Channel, ExchangeKind};

use crate::support::{TestBroker, assert_refused, assert_waiting, body, declare, publish, take};

async fn exchange(
    channel: &Channel,
    name: &str,
    kind: ExchangeKind,
    options: ExchangeDeclareOptions,
) -> lapin::Result<()> {
    channel
        .exchange_declare(name.into(), kind, options, FieldTable::default())
        .await
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> lapin::Result<()> {
    let options = QueueBindOptions::default();
    channel
        .queue_bind(
            queue.into(),
            exchange.into(),
            key.into(),
            options,
            FieldTable::default(),
        )
        .await
}

async fn exists(channel: &Channel, name: &str) -> lapin::Result<()> {
    let passive = ExchangeDeclareOptions {
        passive: true,
        ..Default::default()
    };
    exchange(channel, name, ExchangeKind::Direct, passive).await
}

#[tokio::test]
async fn the_default_exchange_leads_to_the_queue_of_the_name() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = broker.channel().await;
    declare(&channel, "a", &[]).await.unwrap();
    declare(&channel, "b", &[]).await.unwrap();
    publish(&channel, "", "b", "to b").await;
    let delivery = take(&channel, "b").await.unwrap();
    assert_eq!(
        (
            body(&delivery).as_str(),
            delivery.exchange.as_str(),
            delivery.routing_key.as_str()
        ),
        ("to b", "", "b")
    );
    assert!(take(&channel, "a").await.is_none());
}

#[tokio::test]
async fn direct_fanout_and_topic_route_as_they_are_named() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = broker.channel().await;
    for (kind, key, routed) in [
        (ExchangeKind::Direct, "order.placed", 1),
        (ExchangeKind::Fanout, "ignored", 2),
        (ExchangeKind::Topic, "order.*", 1),
    ] {
        let name = format!("{kind:?}");
        exchange(&channel, &name, kind, ExchangeDeclareOptions::default())
            .await
            .unwrap();
        declare(&channel, &name, &[]).await.unwrap();
        bind(&channel, &name, &name, key).await.unwrap();
        publish(&channel, &name, "order.placed", "yes").await;
        publish(&channel, &name, "payment.made", "no, save by fanout").await;
        assert_waiting(&channel, &name, routed).await;
        let delivery = take(&channel, &name).await.unwrap();
        assert_eq!(delivery.exchange.as_str(), name);
        assert_eq!(delivery.routing_key.as_str(), "order.placed");
    }
}

#[tokio::test]
async fn the_predeclared_exchanges_are_there() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = broker.channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    for name in ["amq.direct", "amq.fanout", "amq.topic"] {
        bind(&channel, "q", name, "key").await.unwrap();
        publish(&channel, name, "key", name).await;
        assert_eq!(body(&take(&channel, "q").await.unwrap()), name);
    }
}

#[tokio::test]
async fn an_unbound_queue_gets_nothing_more() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = broker.channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    bind(&channel, "q", "amq.topic", "a.#").await.unwrap();
    bind(&channel, "q", "amq.topic", "#.b").await.unwrap();
    let unbind = |key: &'static str| {
        channel.queue_unbind(
            "q".into(),
            "amq.topic".into(),
            key.into(),
            FieldTable::default(),
        )
    };
    publish(&channel, "amq.topic", "a.b", "once, for both").await;
    unbind("a.#").await.unwrap();
    publish(&channel, "amq.topic", "a.b", "by the other").await;
    unbind("#.b").await.unwrap();
    unbind("never.bound").await.unwrap();
    publish(&channel, "amq.topic", "a.b", "to nobody").await;
    for expected in ["once, for both", "by the other"] {
        assert_eq!(body(&take(&channel, "q").await.unwrap()), expected);
    }
    assert!(take(&channel, "q").await.is_none());
}

#[tokio::test]
async fn declaring_again_must_ask_for_the_same() {
    let broker = TestBroker::start().await;
    let (connection, channel) = broker.channel().await;
    let plain = ExchangeDeclareOptions::default();
    exchange(&channel, "x", ExchangeKind::Topic, plain)
        .await
        .unwrap();
    exchange(&channel, "x", ExchangeKind::Topic, plain)
        .await
        .unwrap();
    exists(&channel, "x").await.unwrap();
    let differences = [
        (
            ExchangeKind::Fanout,
            plain,
            "'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'topic'",
        ),
        (
            ExchangeKind::Topic,
            ExchangeDeclareOptions {
                durable: true,
                ..plain
            },
            "'durable'",
        ),
        (
            ExchangeKind::Topic,
            ExchangeDeclareOptions {
                auto_delete: true,
                ..plain
            },
            "'auto_delete'",
        ),
        (
            ExchangeKind::Topic,
            ExchangeDeclareOptions {
                internal: true,
                ..plain
            },
            "'internal'",
        ),
    ];
    for (kind, options, what) in differences {
        let channel = connection.create_channel().await.unwrap();
        assert_refused(
            exchange(&channel, "x", kind, options).await,
            406,
            &format!("inequivalent arg {what}"),
        );
    }
}

#[tokio::test]
async fn what_is_in_use_is_kept_by_if_unused() {
    let broker = TestBroker::start().await;
    let (connection, channel) = broker.channel().await;
    exchange(
        &channel,
        "x",
        ExchangeKind::Direct,
        ExchangeDeclareOptions::default(),
    )
    .await
    .unwrap();
    declare(&channel, "q", &[]).await.unwrap();
    bind(&channel, "q", "x", "k").await.unwrap();
    let if_unused = ExchangeDeleteOptions {
        if_unused: true,
        ..Default::default()
    };
    assert_refused(
        channel.exchange_delete("x".into(), if_unused).await,
        406,
        "exchange 'x' in vhost '/' in use",
    );
    let channel = connection.create_channel().await.unwrap();
    channel
        .exchange_delete("x".into(), ExchangeDeleteOptions::default())
        .await
        .unwrap();
    assert_refused(
        exists(&channel, "x").await,
        404,
        "no exchange 'x' in vhost '/'",
    );
}

#[tokio::test]
async fn an_auto_delete_exchange_goes_with_its_last_binding() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = broker.channel().await;
    let auto_delete = ExchangeDeclareOptions {
        auto_delete: true,
        ..Default::default()
    };
    exchange(&channel, "x", ExchangeKind::Direct, auto_delete)
        .await
        .unwrap();
    declare(&channel, "q", &[]).await.unwrap();
    declare(&channel, "r", &[]).await.unwrap();
    bind(&channel, "q", "x", "k").await.unwrap();
    bind(&channel, "r", "x", "k").await.unwrap();
    channel
        .queue_unbind("q".into(), "x".into(), "k".into(), FieldTable::default())
        .await
        .unwrap();
    exists(&channel, "x").await.unwrap();
    channel
        .queue_delete("r".into(), Default::default())
        .await
        .unwrap();
    assert_refused(exists(&channel, "x").await, 404, "no exchange 'x'");
}

#[tokio::test]
async fn what_is_reserved_cannot_be_changed() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let channel = || async { connection.create_channel().await.unwrap() };
    let plain = ExchangeDeclareOptions::default();
    assert_refused(
        exchange(&channel().await, "amq.mine", ExchangeKind::Topic, plain).await,
        403,
        "reserved prefix 'amq.*'",
    );
    assert_refused(
        exchange(&channel().await, "", ExchangeKind::Direct, plain).await,
        403,
        "default exchange",
    );
    let delete = |name: &'static str| async move {
        channel()
            .await
            .exchange_delete(name.into(), ExchangeDeleteOptions::default())
            .await
    };
    assert_refused(
        delete("amq.topic").await,
        403,
        "deletion of system exchange 'amq.topic'",
    );
    assert_refused(delete("").await, 403, "default exchange");
    let binding = channel().await;
    declare(&binding, "q", &[]).await.unwrap();
    assert_refused(bind(&binding, "q", "", "k").await, 403, "default exchange");
}

#[tokio::test]
async fn a_type_that_nobody_knows_is_refused() {
    let broker = TestBroker::start().await;
    let plain = ExchangeDeclareOptions::default();
    let (_connection, channel) = broker.channel().await;
    let unknown = ExchangeKind::Custom("x-delayed-message".into());
    assert_refused(
        exchange(&channel, "x", unknown, plain).await,
        503,
        "unknown exchange type 'x-delayed-message'",
    );
}
