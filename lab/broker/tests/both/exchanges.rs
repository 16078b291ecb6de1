//! Exchanges: what they route where, and how they come and go.

use lapin::ExchangeKind;
use lapin::options::ExchangeDeclareOptions;

use super::topology::{
    auto_delete_exchange, bind, broker_and_channel, delete_exchange, delete_queue,
    delete_unused_exchange, durable_exchange, exchange, exchange_exists, exchange_with,
    internal_exchange, queues, unbind,
};
use crate::support::{TestBroker, assert_refused, assert_waiting, body, publish, take};

#[tokio::test]
async fn the_default_exchange_leads_to_the_queue_of_the_name() {
    let (_broker, channel) = broker_and_channel().await;
    queues(&channel, &["a", "b"]).await;
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
    let (_broker, channel) = broker_and_channel().await;
    for (kind, key, routed) in [
        (ExchangeKind::Direct, "order.placed", 1),
        (ExchangeKind::Fanout, "ignored", 2),
        (ExchangeKind::Topic, "order.*", 1),
    ] {
        let name = format!("{kind:?}");
        exchange(&channel, &name, kind).await.unwrap();
        queues(&channel, &[&name]).await;
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
    let (_broker, channel) = broker_and_channel().await;
    queues(&channel, &["q"]).await;
    for name in ["amq.direct", "amq.fanout", "amq.topic"] {
        bind(&channel, "q", name, "key").await.unwrap();
        publish(&channel, name, "key", name).await;
        assert_eq!(body(&take(&channel, "q").await.unwrap()), name);
    }
}

#[tokio::test]
async fn an_unbound_queue_gets_nothing_more() {
    let (_broker, channel) = broker_and_channel().await;
    queues(&channel, &["q"]).await;
    bind(&channel, "q", "amq.topic", "a.#").await.unwrap();
    bind(&channel, "q", "amq.topic", "#.b").await.unwrap();
    publish(&channel, "amq.topic", "a.b", "once, for both").await;
    unbind(&channel, "q", "amq.topic", "a.#").await.unwrap();
    publish(&channel, "amq.topic", "a.b", "by the other").await;
    unbind(&channel, "q", "amq.topic", "#.b").await.unwrap();
    unbind(&channel, "q", "amq.topic", "never.bound")
        .await
        .unwrap();
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
    for _ in 0..2 {
        exchange(&channel, "x", ExchangeKind::Topic).await.unwrap();
    }
    exchange_exists(&channel, "x").await.unwrap();
    let differences = [
        (
            ExchangeKind::Fanout,
            ExchangeDeclareOptions::default(),
            "'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'topic'",
        ),
        (ExchangeKind::Topic, durable_exchange(), "'durable'"),
        (ExchangeKind::Topic, auto_delete_exchange(), "'auto_delete'"),
        (ExchangeKind::Topic, internal_exchange(), "'internal'"),
    ];
    for (kind, options, what) in differences {
        let channel = connection.create_channel().await.unwrap();
        assert_refused(
            exchange_with(&channel, "x", kind, options, &[]).await,
            406,
            &format!("inequivalent arg {what}"),
        );
    }
}

#[tokio::test]
async fn what_is_in_use_is_kept_by_if_unused() {
    let broker = TestBroker::start().await;
    let (connection, channel) = broker.channel().await;
    exchange(&channel, "x", ExchangeKind::Direct).await.unwrap();
    queues(&channel, &["q"]).await;
    bind(&channel, "q", "x", "k").await.unwrap();
    assert_refused(
        delete_unused_exchange(&channel, "x").await,
        406,
        "exchange 'x' in vhost '/' in use",
    );
    let channel = connection.create_channel().await.unwrap();
    delete_exchange(&channel, "x").await.unwrap();
    assert_refused(
        exchange_exists(&channel, "x").await,
        404,
        "no exchange 'x' in vhost '/'",
    );
}

#[tokio::test]
async fn an_auto_delete_exchange_goes_with_its_last_binding() {
    let (_broker, channel) = broker_and_channel().await;
    let options = auto_delete_exchange();
    exchange_with(&channel, "x", ExchangeKind::Direct, options, &[])
        .await
        .unwrap();
    queues(&channel, &["q", "r"]).await;
    bind(&channel, "q", "x", "k").await.unwrap();
    bind(&channel, "r", "x", "k").await.unwrap();
    unbind(&channel, "q", "x", "k").await.unwrap();
    exchange_exists(&channel, "x").await.unwrap();
    delete_queue(&channel, "r").await.unwrap();
    assert_refused(exchange_exists(&channel, "x").await, 404, "no exchange 'x'");
}

#[tokio::test]
async fn what_is_reserved_cannot_be_changed() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let channel = || async { connection.create_channel().await.unwrap() };
    assert_refused(
        exchange(&channel().await, "amq.mine", ExchangeKind::Topic).await,
        403,
        "reserved prefix 'amq.*'",
    );
    assert_refused(
        exchange(&channel().await, "", ExchangeKind::Direct).await,
        403,
        "default exchange",
    );
    assert_refused(
        delete_exchange(&channel().await, "amq.topic").await,
        403,
        "deletion of system exchange 'amq.topic'",
    );
    assert_refused(
        delete_exchange(&channel().await, "").await,
        403,
        "default exchange",
    );
    let binding = channel().await;
    queues(&binding, &["q"]).await;
    assert_refused(bind(&binding, "q", "", "k").await, 403, "default exchange");
}

#[tokio::test]
async fn a_type_that_nobody_knows_is_refused() {
    let (_broker, channel) = broker_and_channel().await;
    let unknown = ExchangeKind::Custom("x-delayed-message".into());
    assert_refused(
        exchange(&channel, "x", unknown).await,
        503,
        "unknown exchange type 'x-delayed-message'",
    );
}
