//! The start and the end of a connection, as a client sees them that does as it pleases.

use amq_protocol::frame::AMQPFrame;
use amq_protocol::protocol::{AMQPClass, connection};
use lapin::types::AMQPValue;
use tokio::io::AsyncReadExt;

use crate::support::{TestBroker, declare, soon};

#[tokio::test]
async fn another_protocol_is_answered_with_the_one_that_is_spoken() {
    let broker = TestBroker::start().await;
    for wrong in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"AMQP\0\x01\0\0",
        b"AMQP\x01\x01\0\x0a",
    ] {
        let mut raw = broker.raw().await;
        raw.write(wrong).await;
        let mut answer = Vec::new();
        // Octets that nobody has read may turn the end into a reset, after the answer.
        let _ = soon("the answer", raw.stream.read_to_end(&mut answer)).await;
        assert_eq!(answer, b"AMQP\0\0\x09\x01", "to {wrong:?}");
    }
}

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
async fn a_login_that_cannot_be_read_is_refused() {
    let broker = TestBroker::start().await;
    let bad: [(&str, &[u8]); 6] = [
        ("EXTERNAL", b""),
        ("PLAIN", b""),
        ("PLAIN", b"guest"),
        ("PLAIN", b"\0\0guest"),
        ("AMQPLAIN", b"\x05LOGIN"),
        ("AMQPLAIN", b"\x05LOGINS\0\0\0\x05guest"),
    ];
    for (mechanism, response) in bad {
        let mut raw = broker.raw().await;
        raw.greet().await;
        raw.start_ok(mechanism, response).await;
        raw.assert_closed_with(403, "ACCESS_REFUSED - Login was refused")
            .await;
    }
}

#[tokio::test]
async fn amqplain_is_spoken() {
    let broker = TestBroker::start().await;
    let mut raw = broker.raw().await;
    raw.greet().await;
    raw.start_ok(
        "AMQPLAIN",
        b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05guest",
    )
    .await;
    raw.tune(0, 0, 0).await;
    raw.open("/").await;
    assert!(matches!(
        raw.method().await,
        AMQPClass::Connection(connection::AMQPMethod::OpenOk(_))
    ));
}

#[tokio::test]
async fn limits_may_be_lowered_and_not_raised() {
    let broker = TestBroker::start().await;
    for (channel_max, frame_max, what) in [
        (0, 200_000, "frame_max"),
        (5000, 0, "channel_max"),
        (0, 100, "frame_max"),
    ] {
        let mut raw = broker.raw().await;
        raw.greet().await;
        raw.start_ok("PLAIN", b"\0guest\0guest").await;
        let tune = raw.tune(channel_max, frame_max, 0).await;
        assert_eq!(
            (tune.channel_max, tune.frame_max, tune.heartbeat),
            (2047, 131_072, 60)
        );
        raw.assert_closed_with(530, what).await;
    }
}

#[tokio::test]
async fn there_is_one_virtual_host() {
    let broker = TestBroker::start().await;
    let mut raw = broker.raw().await;
    raw.greet().await;
    raw.start_ok("PLAIN", b"\0guest\0guest").await;
    raw.tune(0, 0, 0).await;
    raw.open("other").await;
    raw.assert_closed_with(530, "NOT_ALLOWED - vhost other not found")
        .await;
}

#[tokio::test]
async fn a_method_out_of_turn_is_refused() {
    let broker = TestBroker::start().await;
    let mut raw = broker.raw().await;
    raw.greet().await;
    raw.open("/").await;
    raw.assert_closed_with(503, "expected connection.start-ok")
        .await;
}

#[tokio::test]
async fn heartbeats_are_sent_and_a_silent_client_is_dropped() {
    let broker = TestBroker::start().await;
    let mut raw = broker.raw().await;
    raw.open_channel(1).await;
    let mut heartbeats = 0;
    while let Some(frame) = raw.receive().await {
        assert_eq!(frame, AMQPFrame::Heartbeat);
        heartbeats += 1;
    }
    assert!(
        heartbeats >= 2,
        "two intervals of silence, a heartbeat each half: {heartbeats}"
    );
}

#[tokio::test]
async fn a_client_that_sends_heartbeats_is_kept() {
    let broker = TestBroker::start().await;
    let mut raw = broker.raw().await;
    raw.open_channel(1).await;
    // Six heartbeats of the broker are three intervals, more than a silent client is given.
    for _ in 0..6 {
        assert_eq!(raw.receive().await, Some(AMQPFrame::Heartbeat));
        raw.write(&crate::support::frame(&AMQPFrame::Heartbeat))
            .await;
    }
}

#[tokio::test]
async fn a_client_that_closes_is_answered() {
    let broker = TestBroker::start().await;
    let (connection, channel) = broker.channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    channel.close(200, "bye".into()).await.unwrap();
    connection.close(200, "bye".into()).await.unwrap();
}

#[tokio::test]
async fn at_shutdown_connections_are_closed_with_320_and_run_returns() {
    let broker = TestBroker::start().await;
    let mut open = broker.raw().await;
    open.open_channel(0).await;
    let mut in_handshake = broker.raw().await;
    in_handshake.greet().await;
    broker.begin_shutdown();
    open.assert_closed_with(320, "CONNECTION_FORCED - broker is shutting down")
        .await;
    assert_eq!(in_handshake.receive().await, None);
    broker.ended().await;
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_client_that_does_not_answer() {
    let broker = TestBroker::start().await;
    let mut raw = broker.raw().await;
    raw.open_channel(0).await;
    broker.begin_shutdown();
    broker.ended().await;
}
