//! What RabbitMQ has and this broker lacks: it says so, each with the reply code that AMQP has for it.

use lapin::options::BasicConsumeOptions;
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
        "exchange_exchange_bindings",
    ] {
        assert_eq!(capabilities[name], AMQPValue::Boolean(true), "{name}");
    }
    for name in ["consumer_priorities", "direct_reply_to"] {
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
    for (name, value, words) in [
        ("x-queue-type", text("stream"), "queue type 'stream'"),
        ("x-max-priority", int(5), "arg 'x-max-priority'"),
        (
            "x-single-active-consumer",
            AMQPValue::Boolean(true),
            "arg 'x-single-active-consumer'",
        ),
    ] {
        let (_connection, channel) = broker.channel().await;
        assert_refused(declare(&channel, "q", &[(name, value)]).await, 540, words);
    }
}

#[tokio::test]
async fn answers_without_a_queue() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = broker.channel().await;
    let options = BasicConsumeOptions {
        no_ack: true,
        ..Default::default()
    };
    let reply_to = "amq.rabbitmq.reply-to";
    let refused = channel
        .basic_consume(reply_to.into(), "".into(), options, FieldTable::default())
        .await;
    assert_refused(refused.map(|_| ()), 540, "direct reply-to");
}
