//! Queues: how they are declared, shared, emptied, and how they come to an end.

use futures::StreamExt;
use lapin::BasicProperties;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable};

use super::topology::{
    auto_delete_queue, bind, broker_and_channel, confirm, delete_queue, durable_queue,
    exclusive_queue, queue_exists, queue_with,
};
use crate::support::{
    TestBroker, assert_refused, assert_waiting, consume, declare, eventually, get, int, next,
    publish, soon, take, text,
};

#[tokio::test]
async fn the_broker_names_a_queue_that_has_no_name() {
    let (_broker, channel) = broker_and_channel().await;
    let first = declare(&channel, "", &[]).await.unwrap();
    let second = declare(&channel, "", &[]).await.unwrap();
    assert!(
        first.name().as_str().starts_with("amq.gen-"),
        "{}",
        first.name()
    );
    assert_ne!(first.name(), second.name());
    // The empty name is the last one that was declared.
    publish(&channel, "", second.name().as_str(), "m").await;
    assert_eq!(
        channel
            .queue_purge("".into(), QueuePurgeOptions::default())
            .await
            .unwrap(),
        1
    );
}

#[tokio::test]
async fn declaring_tells_how_many_messages_and_consumers_there_are() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    publish(&channel, "", "q", "1").await;
    publish(&channel, "", "q", "2").await;
    assert_waiting(&channel, "q", 2).await;
    let found = declare(&channel, "q", &[]).await.unwrap();
    assert_eq!((found.message_count(), found.consumer_count()), (2, 0));
    let mut consumer = consume(&channel, "q").await;
    next(&mut consumer).await;
    next(&mut consumer).await;
    let found = declare(&channel, "q", &[]).await.unwrap();
    assert_eq!(
        (found.message_count(), found.consumer_count()),
        (0, 1),
        "what is unacknowledged does not wait"
    );
}

#[tokio::test]
async fn declaring_again_must_ask_for_the_same() {
    let broker = TestBroker::start().await;
    let (connection, channel) = broker.channel().await;
    declare(
        &channel,
        "q",
        &[("x-max-length", int(5)), ("x-unknown", int(1))],
    )
    .await
    .unwrap();
    declare(
        &channel,
        "q",
        &[
            ("x-max-length", AMQPValue::LongLongInt(5)),
            ("x-queue-type", text("classic")),
        ],
    )
    .await
    .unwrap();
    let refused = declare(&channel, "q", &[("x-max-length", int(6))]).await;
    let words = "inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received '6' but current is '5'";
    assert_refused(refused, 406, words);
    for (options, words) in [
        (durable_queue(), "inequivalent arg 'durable' for queue 'q'"),
        (auto_delete_queue(), "inequivalent arg 'auto_delete'"),
    ] {
        let channel = connection.create_channel().await.unwrap();
        assert_refused(queue_with(&channel, "q", options, &[]).await, 406, words);
    }
    let channel = connection.create_channel().await.unwrap();
    assert_refused(
        queue_with(&channel, "q", exclusive_queue(), &[]).await,
        405,
        "cannot obtain exclusive access to locked queue 'q'",
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let channel = || async { connection.create_channel().await.unwrap() };
    let words = "NOT_FOUND - no queue 'nope' in vhost '/'";
    assert_refused(queue_exists(&channel().await, "nope").await, 404, words);
    assert_refused(
        channel()
            .await
            .queue_purge("nope".into(), Default::default())
            .await,
        404,
        words,
    );
    assert_refused(
        channel()
            .await
            .basic_get("nope".into(), Default::default())
            .await
            .map(|_| ()),
        404,
        words,
    );
    let consumed = channel()
        .await
        .basic_consume(
            "nope".into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await;
    assert_refused(consumed.map(|_| ()), 404, words);
    let bound = bind(&channel().await, "nope", "amq.topic", "k").await;
    assert_refused(bound, 404, words);
    let long = "n".repeat(250);
    let cut = format!("NOT_FOUND - no queue '{}...", &long[..230]);
    assert_refused(queue_exists(&channel().await, &long).await, 404, &cut);
    // What shall not be there is not missed.
    assert_eq!(delete_queue(&channel().await, "nope").await.unwrap(), 0);
}

#[tokio::test]
async fn an_exclusive_queue_is_for_its_connection_and_goes_with_it() {
    let broker = TestBroker::start().await;
    let (owner, channel) = broker.channel().await;
    queue_with(&channel, "mine", exclusive_queue(), &[])
        .await
        .unwrap();
    publish(&channel, "", "mine", "m").await;
    let same_connection = owner.create_channel().await.unwrap();
    assert!(take(&same_connection, "mine").await.is_some());

    let other = broker.connect().await;
    let words =
        "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' in vhost '/'";
    let stranger = || async { other.create_channel().await.unwrap() };
    assert_refused(queue_exists(&stranger().await, "mine").await, 405, words);
    assert_refused(
        stranger()
            .await
            .basic_get("mine".into(), Default::default())
            .await
            .map(|_| ()),
        405,
        words,
    );
    assert_refused(delete_queue(&stranger().await, "mine").await, 405, words);

    owner.close(200, "bye".into()).await.unwrap();
    assert_refused(
        queue_exists(&stranger().await, "mine").await,
        404,
        "no queue 'mine'",
    );
}

#[tokio::test]
async fn an_auto_delete_queue_goes_with_its_last_consumer() {
    let broker = TestBroker::start().await;
    let (connection, channel) = broker.channel().await;
    queue_with(&channel, "q", auto_delete_queue(), &[])
        .await
        .unwrap();
    let first = consume(&channel, "q").await;
    let second = consume(&channel, "q").await;
    channel
        .basic_cancel(first.tag(), Default::default())
        .await
        .unwrap();
    queue_exists(&channel, "q").await.unwrap();
    channel
        .basic_cancel(second.tag(), Default::default())
        .await
        .unwrap();
    assert_refused(
        queue_exists(&connection.create_channel().await.unwrap(), "q").await,
        404,
        "no queue 'q'",
    );
}

#[tokio::test]
async fn a_queue_that_nobody_uses_expires() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, "used", &[("x-expires", int(60))])
        .await
        .unwrap();
    let _consumer = consume(&channel, "used").await;
    declare(&channel, "unused", &[("x-expires", int(60))])
        .await
        .unwrap();
    // Publishing is no use of a queue, so that asking in this way does not keep it alive.
    confirm(&channel).await;
    let mandatory = BasicPublishOptions {
        mandatory: true,
        immediate: false,
    };
    eventually("the end of the unused queue", || async {
        let sent = channel.basic_publish(
            "".into(),
            "unused".into(),
            mandatory,
            b"",
            BasicProperties::default(),
        );
        let confirmation = sent.await.unwrap().await.unwrap();
        confirmation.take_message().map(|_| ())
    })
    .await;
    queue_exists(&channel, "used").await.unwrap();
}

#[tokio::test]
async fn purging_spares_what_is_unacknowledged() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    for n in 0..3 {
        publish(&channel, "", "q", &n.to_string()).await;
    }
    let unacknowledged = get(&channel, "q").await.unwrap();
    assert_eq!(
        channel
            .queue_purge("q".into(), QueuePurgeOptions::default())
            .await
            .unwrap(),
        2
    );
    unacknowledged.nack(Default::default()).await.unwrap();
    let left = take(&channel, "q").await;
    assert!(left.is_none(), "nack without requeue drops it: {left:?}");
}

#[tokio::test]
async fn deleting_may_be_made_to_depend_on_use() {
    let broker = TestBroker::start().await;
    let (connection, channel) = broker.channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    publish(&channel, "", "q", "m").await;
    let if_empty = QueueDeleteOptions {
        if_empty: true,
        ..Default::default()
    };
    assert_refused(
        channel.queue_delete("q".into(), if_empty).await,
        406,
        "queue 'q' in vhost '/' not empty",
    );
    let consuming = connection.create_channel().await.unwrap();
    let _consumer = consume(&consuming, "q").await;
    let channel = connection.create_channel().await.unwrap();
    let if_unused = QueueDeleteOptions {
        if_unused: true,
        ..Default::default()
    };
    assert_refused(
        channel.queue_delete("q".into(), if_unused).await,
        406,
        "queue 'q' in vhost '/' in use",
    );
}

#[tokio::test]
async fn deleting_a_queue_cancels_its_consumers() {
    let broker = TestBroker::start().await;
    let (connection, channel) = broker.channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    let mut consumer = consume(&channel, "q").await;
    let other = connection.create_channel().await.unwrap();
    publish(&other, "", "q", "m").await;
    let delivery = next(&mut consumer).await;
    publish(&other, "", "q", "never read").await;
    let mut cancelled = consumer.filter(|delivery| std::future::ready(delivery.is_err()));
    let left = delete_queue(&other, "q").await.unwrap();
    assert_eq!(left, 0, "it was delivered");
    assert!(
        soon("the end of the consumer", cancelled.next())
            .await
            .is_none()
    );
    // The tag is still good, and the message has nowhere to go back to.
    delivery
        .nack(lapin::options::BasicNackOptions {
            requeue: true,
            ..Default::default()
        })
        .await
        .unwrap();
    assert_refused(queue_exists(&channel, "q").await, 404, "no queue 'q'");
}

#[tokio::test]
async fn arguments_that_make_no_sense_are_refused() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    for (name, value, words) in [
        (
            "x-message-ttl",
            int(-1),
            "invalid arg 'x-message-ttl' for queue 'q' in vhost '/': {value_negative,-1}",
        ),
        ("x-max-length", text("5"), "expected integer, got longstr"),
        ("x-overflow", text("shrug"), "invalid_overflow"),
        (
            "x-queue-type",
            text("circular"),
            "unsupported queue type 'circular'",
        ),
        (
            "x-dead-letter-routing-key",
            text("k"),
            "routing_key_but_no_dlx_defined",
        ),
    ] {
        let channel = connection.create_channel().await.unwrap();
        assert_refused(declare(&channel, "q", &[(name, value)]).await, 406, words);
    }
    let channel = connection.create_channel().await.unwrap();
    assert_refused(
        declare(&channel, "amq.mine", &[]).await,
        403,
        "reserved prefix 'amq.*'",
    );
}
