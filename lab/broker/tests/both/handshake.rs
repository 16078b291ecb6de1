//! The start and the end of a connection, as a client sees them that does as it pleases.

use amq_protocol::frame::AMQPFrame;
use amq_protocol::protocol::{AMQPClass, connection};
use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{CHANNEL_MAX, FRAME_MAX, TestBroker, declare, soon};

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
        // Unread octets may turn the end into a reset, after the answer.
        let _ = soon("the answer", raw.stream.read_to_end(&mut answer)).await;
        assert_eq!(answer, b"AMQP\0\0\x09\x01", "to {wrong:?}");
    }
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
    join_all(bad.map(async |(mechanism, response)| {
        let mut raw = broker.raw().await;
        raw.greet().await;
        raw.start_ok(mechanism, response).await;
        let text = "ACCESS_REFUSED - Login was refused using authentication mechanism";
        raw.assert_ended_with(403, text).await;
    }))
    .await;
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
    raw.tune(CHANNEL_MAX, FRAME_MAX, 0).await;
    let vhost = raw.vhost.clone();
    raw.open(&vhost).await;
    let answer = raw.method().await;
    let AMQPClass::Connection(connection::AMQPMethod::OpenOk(_)) = answer else {
        panic!("expected connection.open-ok, got {answer:?}")
    };
}

#[tokio::test]
async fn limits_may_be_lowered() {
    let broker = TestBroker::start().await;
    let mut raw = broker.raw().await;
    raw.greet().await;
    raw.start_ok("PLAIN", b"\0guest\0guest").await;
    let tune = raw.tune(1, 4096, 0).await;
    assert_eq!(
        (tune.channel_max, tune.frame_max, tune.heartbeat),
        (CHANNEL_MAX, FRAME_MAX, 60)
    );
    let vhost = raw.vhost.clone();
    raw.open(&vhost).await;
    let answer = raw.method().await;
    let AMQPClass::Connection(connection::AMQPMethod::OpenOk(_)) = answer else {
        panic!("expected connection.open-ok, got {answer:?}")
    };
}

#[tokio::test]
async fn limits_may_not_be_raised() {
    let broker = TestBroker::start().await;
    let attempts = [
        (
            CHANNEL_MAX,
            200_000,
            "negotiated frame_max = 200000 is higher",
        ),
        (5000, FRAME_MAX, "negotiated channel_max = 5000 is higher"),
        (CHANNEL_MAX, 100, "negotiated frame_max = 100 is lower"),
        (
            CHANNEL_MAX,
            0,
            "negotiated frame_max = 0 (no limit) is higher",
        ),
        (
            0,
            FRAME_MAX,
            "negotiated channel_max = 0 (no limit) is higher",
        ),
    ];
    join_all(attempts.map(async |(channel_max, frame_max, text)| {
        let mut raw = broker.raw().await;
        raw.greet().await;
        raw.start_ok("PLAIN", b"\0guest\0guest").await;
        raw.tune(channel_max, frame_max, 0).await;
        raw.assert_ended_with(530, text).await;
    }))
    .await;
}

#[tokio::test]
async fn there_is_one_virtual_host() {
    let broker = TestBroker::start().await;
    let mut raw = broker.raw().await;
    raw.greet().await;
    raw.start_ok("PLAIN", b"\0guest\0guest").await;
    raw.tune(CHANNEL_MAX, FRAME_MAX, 0).await;
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
    raw.assert_ended_with(503, "expected connection.start-ok")
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
async fn after_the_close_the_socket_is_left_to_the_client() {
    let broker = TestBroker::start().await;
    let mut raw = broker.raw().await;
    raw.open_channel(0).await;
    let close = connection::Close {
        reply_code: 200,
        reply_text: "bye".into(),
        class_id: 0,
        method_id: 0,
    };
    raw.send(
        0,
        AMQPClass::Connection(connection::AMQPMethod::Close(close)),
    )
    .await;
    assert!(matches!(
        raw.method().await,
        AMQPClass::Connection(connection::AMQPMethod::CloseOk(_))
    ));
    // The broker has had the time for several answers to others, and has not closed meanwhile.
    for _ in 0..3 {
        let (connection, channel) = broker.channel().await;
        declare(&channel, "q", &[]).await.unwrap();
        connection.close(200, "bye".into()).await.unwrap();
    }
    let read = raw.stream.try_read(&mut [0; 1]);
    assert_eq!(
        read.map_err(|error| error.kind()),
        Err(std::io::ErrorKind::WouldBlock)
    );
    raw.stream.shutdown().await.unwrap();
    assert_eq!(raw.receive().await, None);
}
