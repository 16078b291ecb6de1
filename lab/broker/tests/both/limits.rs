//! The limits of arguments and properties, and what each kind of queue refuses.

use lapin::options::{BasicConsumeOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel};

use super::topology::broker_and_channel;
use crate::support::{TestBroker, assert_refused, declare, int, table, text};

/// Ten years of 365 days, in milliseconds.
const TEN_YEARS: i64 = 315_360_000_000;

#[tokio::test]
async fn a_queue_lives_and_keeps_messages_for_ten_years_at_most() {
    let broker = TestBroker::start().await;
    for name in ["x-message-ttl", "x-expires"] {
        let (_connection, channel) = broker.channel().await;
        let ms = |ms| [(name, AMQPValue::LongLongInt(ms))];
        declare(&channel, name, &ms(TEN_YEARS)).await.unwrap();
        assert_refused(
            declare(&channel, "q", &ms(TEN_YEARS + 1)).await,
            406,
            &format!(
                "invalid arg '{name}' for queue 'q' in vhost '/': {{value_too_large,315360000001}}"
            ),
        );
    }
}

async fn send(channel: &Channel, properties: BasicProperties) -> lapin::Result<()> {
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    let sent = channel.basic_publish("".into(), "q".into(), Default::default(), b"m", properties);
    sent.await?.await.map(|_| ())
}

#[tokio::test]
async fn a_message_expires_within_ten_years() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    let lasting = |ms: i64| BasicProperties::default().with_expiration(ms.to_string().into());
    send(&channel, lasting(TEN_YEARS)).await.unwrap();
    assert_refused(
        send(&channel, lasting(TEN_YEARS + 1)).await,
        406,
        "invalid expiration '315360000001': {value_too_large,315360000001}",
    );
}

#[tokio::test]
async fn a_message_is_persistent_or_not() {
    let broker = TestBroker::start().await;
    for mode in [1, 2] {
        let (_connection, channel) = broker.channel().await;
        let properties = BasicProperties::default().with_delivery_mode(mode);
        send(&channel, properties).await.unwrap();
    }
    for mode in [0, 3] {
        let (_connection, channel) = broker.channel().await;
        let properties = BasicProperties::default().with_delivery_mode(mode);
        assert_refused(
            send(&channel, properties).await,
            406,
            &format!("invalid message: {{delivery_mode_unknown,{mode}}}"),
        );
    }
}

#[tokio::test]
async fn each_kind_of_queue_refuses_the_arguments_of_the_others() {
    let broker = TestBroker::start().await;
    let (two, once) = (int(2), text("at-most-once"));
    for (kind, name, value) in [
        ("classic", "x-delivery-limit", &two),
        ("classic", "x-dead-letter-strategy", &once),
        ("classic", "x-quorum-initial-group-size", &two),
        ("classic", "x-max-age", &text("1h")),
        ("quorum", "x-max-priority", &two),
        ("quorum", "x-queue-mode", &text("lazy")),
        ("quorum", "x-max-age", &text("1h")),
    ] {
        let (_connection, channel) = broker.channel().await;
        let durable = QueueDeclareOptions {
            durable: true,
            ..Default::default()
        };
        let arguments = table(&[("x-queue-type", text(kind)), (name, value.clone())]);
        let declared = channel.queue_declare("q".into(), durable, arguments).await;
        let words = format!(
            "invalid arg '{name}' for queue 'q' in vhost '/' of queue type rabbit_{kind}_queue"
        );
        assert_refused(declared, 406, &words);
    }
}

#[tokio::test]
async fn a_consumer_of_a_queue_asks_for_no_place_in_a_stream() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    let first = table(&[("x-stream-offset", text("first"))]);
    let options = BasicConsumeOptions::default();
    let consumed = channel
        .basic_consume("q".into(), "".into(), options, first)
        .await;
    assert_refused(
        consumed.map(|_| ()),
        406,
        "invalid arg 'x-stream-offset' for queue 'q' in vhost '/' of queue type rabbit_classic_queue",
    );
}
