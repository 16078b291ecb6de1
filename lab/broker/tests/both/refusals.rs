//! What no client library would send: each gets the reply code that AMQP has for it, and a
//! connection's error is its own.

use std::fmt::Write;

use amq_protocol::frame::AMQPFrame;
use amq_protocol::protocol::{AMQPClass, basic, channel, connection, queue};
use lapin::types::FieldTable;

use crate::support::{Raw, TestBroker, assert_waiting, declare, frame, of_any_vhost};

pub(crate) fn publish() -> AMQPClass {
    let publish = basic::Publish {
        exchange: "".into(),
        routing_key: "q".into(),
        mandatory: false,
        immediate: false,
    };
    AMQPClass::Basic(basic::AMQPMethod::Publish(publish))
}

pub(crate) fn header(class: u16, body_size: u64) -> Vec<u8> {
    let mut payload = class.to_be_bytes().to_vec();
    payload.extend([0, 0]);
    payload.extend(body_size.to_be_bytes());
    payload.extend([0, 0]);
    let mut octets = vec![2, 0, 1];
    octets.extend((payload.len() as u32).to_be_bytes());
    octets.extend(payload);
    octets.push(0xCE);
    octets
}

pub(crate) fn body(text: &[u8]) -> Vec<u8> {
    frame(&AMQPFrame::Body(1, text.to_vec()))
}

pub(crate) fn method(channel: u16, method: AMQPClass) -> Vec<u8> {
    frame(&AMQPFrame::Method(channel, method))
}

#[tokio::test]
async fn each_violation_has_its_code_and_harms_nobody_else() {
    let purge = |queue: &str| {
        queue::AMQPMethod::Purge(queue::Purge {
            queue: queue.into(),
            nowait: false,
        })
    };
    let declare_ok = queue::DeclareOk {
        queue: "q".into(),
        message_count: 0,
        consumer_count: 0,
    };
    let violations: Vec<Violation> = vec![
        (
            "an unknown frame type",
            b"\x07\0\x01\0\0\0\0\xCE".to_vec(),
            501,
            "unknown_frame",
        ),
        (
            "a frame too large",
            b"\x01\0\x01\x7f\xff\xff\xff".to_vec(),
            501,
            "{frame_too_large,2147483647,131064}",
        ),
        (
            "a wrong end of frame",
            b"\x01\0\x01\0\0\0\x04\0\x55\0\x0a\xCD".to_vec(),
            501,
            "{invalid_frame_end_marker,205}",
        ),
        (
            "a method without ids",
            b"\x01\0\x01\0\0\0\x01\0\xCE".to_vec(),
            501,
            "unknown_frame",
        ),
        (
            "a truncated method",
            b"\x01\0\x01\0\0\0\x05\0\x3c\0\x14\0\xCE".to_vec(),
            501,
            "cannot decode",
        ),
        (
            "a reply of the broker",
            method(
                1,
                AMQPClass::Queue(queue::AMQPMethod::DeclareOk(declare_ok)),
            ),
            503,
            "unimplemented method",
        ),
        (
            "a channel that is not open",
            method(9, AMQPClass::Queue(purge("q"))),
            504,
            "expected 'channel.open'",
        ),
        (
            "a second open",
            method(
                1,
                AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})),
            ),
            504,
            "second 'channel.open' seen",
        ),
        (
            "a queue method on channel 0",
            method(0, AMQPClass::Queue(purge("q"))),
            504,
            "unexpected method in connection state running",
        ),
        (
            "a reply on channel 0",
            method(
                0,
                AMQPClass::Connection(connection::AMQPMethod::OpenOk(connection::OpenOk {})),
            ),
            504,
            "unexpected method in connection state running",
        ),
        (
            "a connection method on channel 1",
            method(
                1,
                AMQPClass::Connection(connection::AMQPMethod::OpenOk(connection::OpenOk {})),
            ),
            503,
            "unimplemented method",
        ),
        (
            "a heartbeat on channel 1",
            b"\x08\0\x01\0\0\0\0\xCE".to_vec(),
            505,
            "UNEXPECTED_FRAME - type 8",
        ),
        (
            "a body without a method",
            body(b"abc"),
            505,
            "expected method frame",
        ),
        (
            "a method instead of a header",
            [
                method(1, publish()),
                method(1, AMQPClass::Queue(purge("q"))),
            ]
            .concat(),
            505,
            "expected content header for class 60",
        ),
        (
            "a header of another class",
            [method(1, publish()), header(50, 0)].concat(),
            505,
            "got one for class 50",
        ),
        (
            "a second header",
            [method(1, publish()), header(60, 5), header(60, 5)].concat(),
            505,
            "expected content body",
        ),
        (
            "a prefetch in octets",
            b"\x01\0\x01\0\0\0\x0b\0\x3c\0\x0a\0\0\0\x0a\0\0\0\xCE".to_vec(),
            540,
            "prefetch_size!=0 (10)",
        ),
    ];
    assert_refused(violations).await;
}

/// What is wrong, the octets that are, the reply code and words of the reply.
pub(crate) type Violation = (&'static str, Vec<u8>, u16, &'static str);

/// Expects that each of these closes its own connection, and affects no other.
pub(crate) async fn assert_refused(violations: Vec<Violation>) {
    let broker = TestBroker::start().await;
    let (_connection, bystander) = broker.channel().await;
    declare(&bystander, "q", &[]).await.unwrap();
    let mut differences = String::new();
    for (what, octets, code, words) in violations {
        let mut raw = broker.raw().await;
        raw.open_channel(0).await;
        raw.write(&octets).await;
        let answer = raw.receive().await;
        if !matches!(
            &answer,
            Some(AMQPFrame::Method(0, AMQPClass::Connection(connection::AMQPMethod::Close(close))))
                if close.reply_code == code && close.reply_text.as_str().contains(words)
        ) {
            writeln!(differences, "{what}: not {code} {words:?}, but {answer:?}").unwrap();
        }
        // Others are served.
        assert_waiting(&bystander, "q", 0).await;
    }
    assert!(differences.is_empty(), "{differences}");
}

async fn next_channel_close(raw: &mut Raw) -> channel::Close {
    match raw.method().await {
        AMQPClass::Channel(channel::AMQPMethod::Close(close)) => close,
        other => panic!("expected channel.close, got {other:?}"),
    }
}

#[tokio::test]
async fn a_channel_that_was_closed_ignores_all_until_that_is_acknowledged() {
    let broker = TestBroker::start().await;
    let mut raw = broker.raw().await;
    raw.open_channel(0).await;
    let declare = |passive| {
        AMQPClass::Queue(queue::AMQPMethod::Declare(queue::Declare {
            queue: "q".into(),
            passive,
            durable: false,
            exclusive: false,
            auto_delete: false,
            nowait: false,
            arguments: FieldTable::default(),
        }))
    };
    raw.send(1, declare(true)).await;
    raw.send(1, declare(false)).await;
    raw.write(&[method(1, publish()), header(60, 3), body(b"abc")].concat())
        .await;
    let close = next_channel_close(&mut raw).await;
    assert_eq!(
        (close.reply_code, close.class_id, close.method_id),
        (404, 50, 10)
    );
    assert_eq!(
        of_any_vhost(close.reply_text.as_str()),
        "NOT_FOUND - no queue 'q' in vhost '/'"
    );
    raw.send(
        1,
        AMQPClass::Channel(channel::AMQPMethod::CloseOk(channel::CloseOk {})),
    )
    .await;
    raw.send(
        1,
        AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})),
    )
    .await;
    assert!(matches!(
        raw.method().await,
        AMQPClass::Channel(channel::AMQPMethod::OpenOk(_))
    ));
    raw.send(1, declare(true)).await;
    assert_eq!(
        next_channel_close(&mut raw).await.reply_code,
        404,
        "the second declare was ignored"
    );
}

#[tokio::test]
async fn a_consumer_tag_is_used_once() {
    let broker = TestBroker::start().await;
    let (_connection, bystander) = broker.channel().await;
    declare(&bystander, "q", &[]).await.unwrap();
    let mut raw = broker.raw().await;
    raw.open_channel(0).await;
    let consume = basic::Consume {
        queue: "q".into(),
        consumer_tag: "t".into(),
        no_local: true,
        no_ack: false,
        exclusive: false,
        nowait: false,
        arguments: FieldTable::default(),
    };
    let consume = AMQPClass::Basic(basic::AMQPMethod::Consume(consume));
    raw.send(1, consume.clone()).await;
    assert!(matches!(
        raw.method().await,
        AMQPClass::Basic(basic::AMQPMethod::ConsumeOk(_))
    ));
    raw.send(1, consume).await;
    raw.assert_closed_with(530, "attempt to reuse consumer tag 't'")
        .await;
}

#[tokio::test]
async fn a_new_secret_is_taken() {
    let broker = TestBroker::start().await;
    let mut raw = broker.raw().await;
    raw.open_channel(0).await;
    let update = connection::UpdateSecret {
        new_secret: "guest".into(),
        reason: "it is time".into(),
    };
    let update = connection::AMQPMethod::UpdateSecret(update);
    raw.send(0, AMQPClass::Connection(update)).await;
    let answer = raw.method().await;
    let AMQPClass::Connection(connection::AMQPMethod::UpdateSecretOk(_)) = answer else {
        panic!("expected connection.update-secret-ok, got {answer:?}")
    };
}
