//! Quorum queues, as a RabbitMQ of one node has them.

use lapin::message::Delivery;
use lapin::options::{BasicNackOptions, BasicQosOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, ExchangeKind};

use super::topology::{bind, broker_and_channel, durable_queue, exchange, queues};
use crate::support::{
    TestBroker, arrives, assert_refused, body, consume, eventually, get, int, next, publish,
    publish_with, table, text,
};

async fn declare(
    channel: &Channel,
    options: QueueDeclareOptions,
    arguments: &[(&str, AMQPValue)],
) -> lapin::Result<lapin::Queue> {
    let mut arguments = table(arguments);
    arguments.insert("x-queue-type".into(), text("quorum"));
    channel.queue_declare("q".into(), options, arguments).await
}

#[tokio::test]
async fn a_message_that_comes_back_says_how_often() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, durable_queue(), &[]).await.unwrap();
    publish(&channel, "", "q", "m").await;
    let mut deliveries = consume(&channel, "q").await;
    for count in 0..3 {
        let delivery = next(&mut deliveries).await;
        assert_eq!(body(&delivery), "m");
        let headers = delivery.properties.headers().clone().unwrap_or_default();
        let said = headers.inner().get("x-delivery-count").cloned();
        let expected = (count > 0).then_some(AMQPValue::LongLongInt(count));
        assert_eq!(said, expected);
        let requeue = BasicNackOptions {
            requeue: true,
            ..Default::default()
        };
        delivery.nack(requeue).await.unwrap();
    }
}

#[tokio::test]
async fn a_message_that_comes_back_too_often_dies_of_it() {
    let (_broker, channel) = broker_and_channel().await;
    exchange(&channel, "dead", ExchangeKind::Fanout)
        .await
        .unwrap();
    queues(&channel, &["dead"]).await;
    bind(&channel, "dead", "dead", "").await.unwrap();
    let arguments = [
        ("x-delivery-limit", int(2)),
        ("x-dead-letter-exchange", text("dead")),
    ];
    declare(&channel, durable_queue(), &arguments)
        .await
        .unwrap();
    publish(&channel, "", "q", "m").await;
    let mut deliveries = consume(&channel, "q").await;
    for _ in 0..3 {
        let requeue = BasicNackOptions {
            requeue: true,
            ..Default::default()
        };
        next(&mut deliveries).await.nack(requeue).await.unwrap();
    }
    let dead = arrives(&channel, "dead").await;
    let headers = dead.properties.headers().clone().unwrap();
    let reason = headers.inner().get("x-first-death-reason");
    assert_eq!(reason, Some(&text("delivery_limit")));
}

#[tokio::test]
async fn what_a_quorum_queue_cannot_be_is_refused() {
    let broker = TestBroker::start().await;
    for (options, words) in [
        (
            QueueDeclareOptions::default(),
            "invalid property 'non-durable' for queue 'q'",
        ),
        (
            QueueDeclareOptions {
                exclusive: true,
                ..durable_queue()
            },
            "invalid property 'exclusive-owner' for queue 'q'",
        ),
        (
            QueueDeclareOptions {
                auto_delete: true,
                ..durable_queue()
            },
            "invalid property 'auto-delete' for queue 'q'",
        ),
    ] {
        let (_connection, channel) = broker.channel().await;
        assert_refused(declare(&channel, options, &[]).await, 406, words);
    }
    let (_connection, channel) = broker.channel().await;
    declare(&channel, durable_queue(), &[]).await.unwrap();
    let global = BasicQosOptions { global: true };
    channel.basic_qos(1, global).await.unwrap();
    let refused = channel
        .basic_consume(
            "q".into(),
            "".into(),
            Default::default(),
            FieldTable::default(),
        )
        .await;
    assert_refused(refused, 540, "does not support global qos");
}

/// The count of returns that a message states.
fn count_of(delivery: &Delivery) -> Option<AMQPValue> {
    let headers = delivery.properties.headers().as_ref()?;
    headers.inner().get("x-delivery-count").cloned()
}

#[tokio::test]
async fn a_message_that_is_asked_for_says_so_from_the_first_time_whatever_its_publisher_said() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, durable_queue(), &[]).await.unwrap();
    let said = BasicProperties::default().with_headers(table(&[("x-delivery-count", int(7))]));
    publish_with(&channel, "", "q", "m", said.clone()).await;
    let first = eventually("the message", || get(&channel, "q")).await;
    assert_eq!(count_of(&first), Some(AMQPValue::LongLongInt(0)));
    let requeue = BasicNackOptions {
        requeue: true,
        ..Default::default()
    };
    first.nack(requeue).await.unwrap();
    let mut deliveries = consume(&channel, "q").await;
    let second = next(&mut deliveries).await;
    assert_eq!(count_of(&second), Some(AMQPValue::LongLongInt(1)));
    second.ack(Default::default()).await.unwrap();
    publish_with(&channel, "", "q", "another", said).await;
    let another = next(&mut deliveries).await;
    assert_eq!(
        count_of(&another),
        Some(int(7)),
        "a first delivery is left as it was published"
    );
}

#[tokio::test]
async fn a_quorum_queue_is_deleted_without_conditions() {
    let broker = TestBroker::start().await;
    let (if_unused, if_empty) = (true, true);
    for (options, flag) in [
        (
            QueueDeleteOptions {
                if_unused,
                ..Default::default()
            },
            "if-unused",
        ),
        (
            QueueDeleteOptions {
                if_empty,
                ..Default::default()
            },
            "if-empty",
        ),
    ] {
        let (_connection, channel) = broker.channel().await;
        declare(&channel, durable_queue(), &[]).await.unwrap();
        let words = format!(
            "cannot delete queue 'q' in vhost '/'. queue.delete operations with {flag} flag set are \
             not supported by quorum queues"
        );
        let deleted = channel.queue_delete("q".into(), options).await;
        assert_refused(deleted, 540, &words);
    }
    let (_connection, channel) = broker.channel().await;
    let deleted = channel.queue_delete("q".into(), QueueDeleteOptions::default());
    assert_eq!(deleted.await.unwrap(), 0);
}
