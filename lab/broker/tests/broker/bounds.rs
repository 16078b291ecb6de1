//! What is bounded: messages in memory, one message, what a slow client is sent.

use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};

use amq_protocol::protocol::{AMQPClass, basic};
use broker::Config;
use futures::{Stream, StreamExt};
use lapin::options::BasicPublishOptions;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Event};

use crate::both::topology::{bind, confirm, exclusive_queue, queue_with};
use crate::support::{
    TestBroker, assert_refused, declare, eventually, int, publish, soon, take, waiting,
};

pub(crate) const KIBI: usize = 1024;

pub(crate) fn small_memory() -> Config {
    Config {
        memory_limit: 256 * KIBI,
        ..Config::default()
    }
}

pub(crate) async fn send(channel: &Channel, body: &[u8]) -> lapin::PublisherConfirm {
    let options = BasicPublishOptions::default();
    channel
        .basic_publish(
            "".into(),
            "q".into(),
            options,
            body,
            BasicProperties::default(),
        )
        .await
        .unwrap()
}

pub(crate) async fn next_event(events: &mut (impl Stream<Item = Event> + Unpin)) -> Event {
    soon("an event", events.next()).await.unwrap()
}

#[tokio::test]
async fn publishers_are_blocked_at_the_limit_and_let_go_below_it() {
    let broker = TestBroker::start_with(small_memory()).await;
    let (publisher, publishing) = broker.channel().await;
    let mut events = pin!(publisher.events_listener());
    confirm(&publishing).await;
    declare(&publishing, "q", &[]).await.unwrap();
    let (_consumer, consuming) = broker.channel().await;

    let body = vec![b'x'; 64 * KIBI];
    // Lapin keeps back what it may not send, and with it whoever asks it to.
    let confirmed = tokio::spawn(async move {
        let mut confirms = Vec::new();
        for _ in 0..12 {
            confirms.push(send(&publishing, &body).await);
        }
        futures::future::try_join_all(confirms).await
    });
    assert!(
        matches!(next_event(&mut events).await, Event::ConnectionBlocked(why) if why == "low on memory")
    );
    let held = waiting(&consuming, "q").await;
    assert!(
        (4..12).contains(&held),
        "some of the 12 are still with their publisher: {held}"
    );

    // Other connections are served, and what they take makes room.
    for _ in 0..12 {
        eventually("the next message", || take(&consuming, "q")).await;
    }
    loop {
        match next_event(&mut events).await {
            Event::ConnectionUnblocked => break,
            Event::ConnectionBlocked(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let confirmations = soon("the confirms", confirmed).await.unwrap().unwrap();
    assert_eq!(confirmations.len(), 12);
    assert!(
        confirmations
            .iter()
            .all(|it| *it == Confirmation::Ack(None))
    );
}

#[tokio::test]
async fn who_only_consumes_is_not_blocked() {
    let broker = TestBroker::start_with(small_memory()).await;
    let (_publisher, publishing) = broker.channel().await;
    declare(&publishing, "q", &[]).await.unwrap();
    let (consumer, consuming) = broker.channel().await;
    let mut events = pin!(consumer.events_listener());
    let sending = tokio::spawn(async move {
        for _ in 0..5 {
            drop(send(&publishing, &vec![b'x'; 64 * KIBI]).await);
        }
    });
    for _ in 0..5 {
        eventually("the next message", || take(&consuming, "q")).await;
    }
    soon("the end of publishing", sending).await.unwrap();
    consumer.close(200, "bye".into()).await.unwrap();
    while let Some(Some(event)) = futures::FutureExt::now_or_never(events.next()) {
        assert!(!matches!(event, Event::ConnectionBlocked(_)), "{event:?}");
    }
}

#[tokio::test]
async fn empty_messages_are_not_free() {
    let broker = TestBroker::start_with(Config {
        memory_limit: 16 * KIBI,
        ..Config::default()
    })
    .await;
    let (publisher, publishing) = broker.channel().await;
    let mut events = pin!(publisher.events_listener());
    declare(&publishing, "q", &[]).await.unwrap();
    let sending = tokio::spawn(async move {
        for _ in 0..100 {
            drop(send(&publishing, b"").await);
        }
    });
    assert!(matches!(
        next_event(&mut events).await,
        Event::ConnectionBlocked(_)
    ));
    sending.abort();
}

#[tokio::test]
async fn what_was_taken_is_counted_no_longer() {
    let broker = TestBroker::start_with(small_memory()).await;
    let (publisher, channel) = broker.channel().await;
    let mut events = pin!(publisher.events_listener());
    declare(&channel, "q", &[]).await.unwrap();
    declare(&channel, "short", &[("x-max-length", int(1))])
        .await
        .unwrap();
    let body = "x".repeat(100 * KIBI);
    for _ in 0..20 {
        // Twenty times the limit in all: taken, dropped for length, purged, never routed.
        publish(&channel, "", "q", &body).await;
        take(&channel, "q").await.unwrap();
        publish(&channel, "", "short", &body).await;
        publish(&channel, "", "nowhere", &body).await;
    }
    assert_eq!(waiting(&channel, "short").await, 1);
    channel
        .queue_delete("short".into(), Default::default())
        .await
        .unwrap();
    publish(&channel, "", "q", &body).await;
    publish(&channel, "", "q", &body).await;
    assert_eq!(waiting(&channel, "q").await, 2);
    let event = futures::FutureExt::now_or_never(events.next());
    assert!(event.is_none(), "{event:?}");
}

#[tokio::test]
async fn a_message_that_is_too_large_closes_its_channel_only() {
    let broker = TestBroker::start_with(Config {
        max_message_bytes: 1000,
        ..Config::default()
    })
    .await;
    let (connection, channel) = broker.channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    confirm(&channel).await;
    let refused = send(&channel, &[0; 1001]).await.await;
    assert_refused(
        refused,
        406,
        "message size 1001 is larger than configured max size 1000",
    );
    let channel = connection.create_channel().await.unwrap();
    publish(&channel, "", "q", &"x".repeat(1000)).await;
    assert_eq!(waiting(&channel, "q").await, 1);
}

#[tokio::test]
async fn a_consumer_that_does_not_read_is_not_sent_without_bound() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = broker.channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    let mut sluggish = broker.raw().await;
    sluggish.open_channel(0).await;
    let consume = basic::Consume {
        queue: "q".into(),
        consumer_tag: "sluggish".into(),
        no_local: false,
        no_ack: true,
        exclusive: false,
        nowait: false,
        arguments: FieldTable::default(),
    };
    sluggish
        .send(1, AMQPClass::Basic(basic::AMQPMethod::Consume(consume)))
        .await;
    assert!(matches!(
        sluggish.method().await,
        AMQPClass::Basic(basic::AMQPMethod::ConsumeOk(_))
    ));
    // More than the buffers of both sockets and the outbox take.
    let body = "x".repeat(256 * KIBI);
    const MESSAGES: usize = 150;
    for _ in 0..MESSAGES {
        publish(&channel, "", "q", &body).await;
    }
    assert!(
        waiting(&channel, "q").await > 0,
        "all {MESSAGES} messages were pushed to a client that does not read"
    );
    // When it reads, it gets them all.
    let mut bodies = 0;
    while bodies < MESSAGES * body.len() {
        if let Some(amq_protocol::frame::AMQPFrame::Body(_, piece)) = sluggish.receive().await {
            bodies += piece.len();
        }
    }
    assert_eq!(waiting(&channel, "q").await, 0);
}

#[tokio::test]
async fn queues_bindings_and_consumers_are_not_without_bound() {
    let broker = TestBroker::start_with(small_memory()).await;
    let (_connection, keeper) = broker.channel().await;
    declare(&keeper, "q", &[]).await.unwrap();
    // Each would go on for ever: the queues, bindings and consumers of a connection end with it.
    for what in ["a queue", "a binding", "a consumer"] {
        let (connection, channel) = broker.channel().await;
        let mine = exclusive_queue();
        queue_with(&channel, "mine", mine, &[]).await.unwrap();
        let mut consumers = Vec::new();
        let refused = loop {
            let done = match what {
                "a queue" => queue_with(&channel, "", mine, &[]).await.map(|_| ()),
                "a binding" => {
                    static KEY: AtomicU32 = AtomicU32::new(0);
                    let key = KEY.fetch_add(1, Ordering::Relaxed).to_string();
                    bind(&channel, "mine", "amq.topic", &key).await
                }
                _ => channel
                    .basic_consume(
                        "mine".into(),
                        "".into(),
                        Default::default(),
                        FieldTable::default(),
                    )
                    .await
                    // One that is dropped would be cancelled.
                    .map(|consumer| consumers.push(consumer)),
            };
            if done.is_err() {
                break done;
            }
        };
        assert_refused(refused, 506, &format!("no memory for {what}"));
        drop(connection);
        eventually("room again", || async {
            let (_connection, channel) = broker.channel().await;
            let name = format!("after {what}");
            declare(&channel, &name, &[]).await.ok()
        })
        .await;
        publish(&keeper, "", "q", "m").await;
        take(&keeper, "q").await.unwrap();
    }
}
