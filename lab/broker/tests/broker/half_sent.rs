//! Messages of which only a part has come: what they may hold, and who pays for them.

use std::pin::pin;

use amq_protocol::protocol::{AMQPClass, channel};
use broker::Config;
use futures::StreamExt;
use lapin::{Confirmation, Event};

use crate::both::refusals::{self as part, method};
use crate::both::topology::confirm;
use crate::bounds::{KIBI, next_event, send, small_memory};
use crate::support::{
    Raw, TestBroker, arrives, assert_waiting, declare, publish, soon, take, waiting,
};

/// The reply text of the connection that pays.
const PAYS: &str = "RESOURCE_ERROR - no memory for the rest of a message";

/// A connection that has sent these bytes of a message of `size` bytes, and waits.
async fn half_sent(broker: &TestBroker, size: usize, frames: &[usize]) -> Raw {
    let mut raw = broker.raw().await;
    raw.open_channel(0).await;
    raw.write(&method(1, part::publish())).await;
    raw.write(&part::header(60, size as u64)).await;
    for bytes in frames {
        raw.write(&part::body(&vec![0; *bytes])).await;
    }
    raw
}

/// Waits until the broker has read all that was sent: it opens another channel after that.
async fn is_read(raw: &mut Raw) {
    let open = channel::AMQPMethod::Open(channel::Open {});
    raw.send(2, AMQPClass::Channel(open)).await;
    assert!(matches!(
        raw.method().await,
        AMQPClass::Channel(channel::AMQPMethod::OpenOk(_))
    ));
}

#[tokio::test]
async fn a_message_that_is_half_sent_blocks_no_publisher() {
    let broker = TestBroker::start_with(small_memory()).await;
    // Almost as much as the limit.
    let mut raw = half_sent(&broker, 10_000_000, &[60 * KIBI; 4]).await;
    is_read(&mut raw).await;

    let (publisher, publishing) = broker.channel().await;
    let mut events = pin!(publisher.events_listener());
    declare(&publishing, "q", &[]).await.unwrap();
    let body = "x".repeat(12 * KIBI);
    for _ in 0..60 {
        publish(&publishing, "", "q", &body).await;
        take(&publishing, "q").await.unwrap();
    }
    let event = futures::FutureExt::now_or_never(events.next());
    assert!(event.is_none(), "{event:?}");
    // Nor did the publisher do harm to what is half sent.
    raw.send(
        2,
        AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})),
    )
    .await;
    raw.assert_closed_with(504, "second 'channel.open' seen")
        .await;
}

#[tokio::test]
async fn the_connection_that_has_stopped_in_the_middle_pays_and_not_the_next_sender() {
    let broker = TestBroker::start_with(small_memory()).await;
    let mut stalled = half_sent(&broker, 10_000_000, &[60 * KIBI; 4]).await;
    is_read(&mut stalled).await;
    let (_connection, channel) = broker.channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    confirm(&channel).await;
    let body = vec![b'x'; 120 * KIBI];
    for _ in 0..3 {
        let sent = send(&channel, &body).await;
        let confirmed = soon("the confirm", sent).await.unwrap();
        assert_eq!(confirmed, Confirmation::Ack(None));
        take(&channel, "q").await.unwrap();
    }
    stalled.assert_closed_with(506, PAYS).await;
}

#[tokio::test]
async fn half_messages_cannot_fill_the_memory() {
    let broker = TestBroker::start_with(small_memory()).await;
    let mut greedy = half_sent(&broker, 10_000_000, &[100 * KIBI; 3]).await;
    greedy.assert_closed_with(506, PAYS).await;
    let (_connection, channel) = broker.channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    publish(&channel, "", "q", "m").await;
}

#[tokio::test]
async fn a_small_share_is_for_each_connection_in_any_case() {
    let broker = TestBroker::start_with(Config {
        memory_limit: 100 * KIBI,
        ..Config::default()
    })
    .await;
    let (_connection, channel) = broker.channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    // Three times the limit together, and none of them is large.
    let mut small = Vec::new();
    for _ in 0..6 {
        let mut raw = half_sent(&broker, 50 * KIBI, &[49 * KIBI]).await;
        is_read(&mut raw).await;
        small.push(raw);
    }
    let mut greedy = half_sent(&broker, 10_000_000, &[65 * KIBI]).await;
    greedy.assert_closed_with(506, PAYS).await;
    for raw in &mut small {
        raw.write(&part::body(&[0; KIBI])).await;
        assert_eq!(arrives(&channel, "q").await.data.len(), 50 * KIBI);
    }
}

#[tokio::test]
async fn at_the_limit_a_new_publisher_waits_and_is_not_refused() {
    let broker = TestBroker::start_with(small_memory()).await;
    let (_connection, channel) = broker.channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    let (_early, publishing) = broker.channel().await;
    for _ in 0..2 {
        publish(&publishing, "", "q", &"x".repeat(150 * KIBI)).await;
    }
    assert_waiting(&channel, "q", 2).await;

    let (late, publishing) = broker.channel().await;
    let mut events = pin!(late.events_listener());
    let sending = tokio::spawn(async move {
        let sent = send(&publishing, &vec![b'x'; 200 * KIBI]).await;
        sent.await
    });
    assert!(matches!(
        next_event(&mut events).await,
        Event::ConnectionBlocked(_)
    ));
    assert_eq!(waiting(&channel, "q").await, 2, "the third has not arrived");
    soon("the end of sending", sending).await.unwrap().unwrap();
    for size in [150, 150, 200] {
        assert_eq!(arrives(&channel, "q").await.data.len(), size * KIBI);
    }
}
