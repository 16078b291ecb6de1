//! What RabbitMQ has and this broker lacks: it says so, each with the reply code that AMQP has for it.

use lapin::ExchangeKind;
use lapin::options::{BasicConsumeOptions, ExchangeDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};

use crate::support::{TestBroker, assert_refused, declare, int, table, text};

#[tokio::test]
async fn it_says_who_it_is_and_only_what_it_can() {
    let broker = TestBroker::start().await;
    let start = broker.raw().await.greet().await;
    let properties = start.server_properties.inner();
    assert_eq!(
        properties["product"],
        AMQPValue::LongString("tracelab broker".into())
    );
    let capabilities = properties["capabilities"].as_field_table().unwrap().inner();
    for name in [
        "publisher_confirms",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
    ] {
        assert_eq!(capabilities[name], AMQPValue::Boolean(true), "{name}");
    }
    for name in [
        "exchange_exchange_bindings",
        "consumer_priorities",
        "direct_reply_to",
    ] {
        assert_eq!(capabilities[name], AMQPValue::Boolean(false), "{name}");
    }
    assert_eq!(start.mechanisms.to_string(), "AMQPLAIN PLAIN");
}

#[tokio::test]
async fn priorities_of_consumers() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = broker.channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    let options = BasicConsumeOptions::default();
    let priority = table(&[("x-priority", int(10))]);
    let refused = channel
        .basic_consume("q".into(), "".into(), options, priority)
        .await;
    assert_refused(refused.map(|_| ()), 540, "consumer priorities");
}

#[tokio::test]
async fn kinds_of_queues() {
    let broker = TestBroker::start().await;
    for (name, value) in [
        ("x-queue-type", text("stream")),
        ("x-max-priority", int(5)),
        ("x-single-active-consumer", AMQPValue::Boolean(true)),
    ] {
        let (_connection, channel) = broker.channel().await;
        assert_refused(
            declare(&channel, "q", &[(name, value)]).await,
            540,
            "NOT_IMPLEMENTED",
        );
    }
}

#[tokio::test]
async fn kinds_of_exchanges_and_bindings() {
    let broker = TestBroker::start().await;
    let plain = ExchangeDeclareOptions::default();
    let (_connection, channel) = broker.channel().await;
    let headers = ExchangeKind::Headers;
    let declared = channel
        .exchange_declare("x".into(), headers, plain, FieldTable::default())
        .await;
    assert_refused(declared, 540, "exchange type 'headers'");
    let (_connection, channel) = broker.channel().await;
    let alternate = table(&[("alternate-exchange", text("amq.fanout"))]);
    let direct = ExchangeKind::Direct;
    let declared = channel
        .exchange_declare("x".into(), direct, plain, alternate)
        .await;
    assert_refused(declared, 540, "alternate-exchange");
    let (_connection, channel) = broker.channel().await;
    let bound = channel
        .exchange_bind(
            "amq.topic".into(),
            "amq.fanout".into(),
            "k".into(),
            Default::default(),
            FieldTable::default(),
        )
        .await;
    assert_refused(bound, 540, "bindings between exchanges");
}
