//! Consuming: turns, prefetch, acknowledgements, and what comes back.

use futures::{FutureExt, StreamExt};
use lapin::Channel;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
    BasicRecoverOptions, BasicRejectOptions, ChannelFlowOptions,
};
use lapin::types::FieldTable;

use super::topology::broker_and_channel;
use crate::support::{
    TestBroker, assert_refused, assert_waiting, body, consume, declare, get, next, publish, take,
};

const REQUEUE: BasicNackOptions = BasicNackOptions {
    multiple: false,
    requeue: true,
};

async fn filled(broker: &TestBroker, messages: usize) -> (lapin::Connection, Channel) {
    let (connection, channel) = broker.channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    for n in 0..messages {
        publish(&channel, "", "q", &n.to_string()).await;
    }
    (connection, channel)
}

#[tokio::test]
async fn consumers_take_turns() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = filled(&broker, 0).await;
    let mut consumers = [
        consume(&channel, "q").await,
        consume(&channel, "q").await,
        consume(&channel, "q").await,
    ];
    for n in 0..9 {
        publish(&channel, "", "q", &n.to_string()).await;
    }
    for n in 0..9 {
        assert_eq!(body(&next(&mut consumers[n % 3]).await), n.to_string());
    }
}

#[tokio::test]
async fn a_prefetch_is_for_each_consumer_that_comes_after_it() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = filled(&broker, 10).await;
    channel
        .basic_qos(2, BasicQosOptions { global: false })
        .await
        .unwrap();
    let mut first = consume(&channel, "q").await;
    let mut second = consume(&channel, "q").await;
    let delivery = next(&mut first).await;
    next(&mut first).await;
    next(&mut second).await;
    next(&mut second).await;
    assert_waiting(&channel, "q", 6).await;
    assert!(first.next().now_or_never().is_none());
    delivery.ack(BasicAckOptions::default()).await.unwrap();
    assert_eq!(body(&next(&mut first).await), "4");
    assert_waiting(&channel, "q", 5).await;
}

#[tokio::test]
async fn a_global_prefetch_is_shared_by_the_channel() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = filled(&broker, 10).await;
    channel
        .basic_qos(3, BasicQosOptions { global: true })
        .await
        .unwrap();
    let mut first = consume(&channel, "q").await;
    let _second = consume(&channel, "q").await;
    assert_waiting(&channel, "q", 7).await;
    let delivery = next(&mut first).await;
    let all = BasicAckOptions { multiple: true };
    delivery.ack(all).await.unwrap();
    // One was acknowledged, one more was given.
    assert_waiting(&channel, "q", 6).await;
}

#[tokio::test]
async fn a_consumer_without_acknowledgements_knows_no_prefetch() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = filled(&broker, 5).await;
    channel
        .basic_qos(1, BasicQosOptions { global: false })
        .await
        .unwrap();
    let options = BasicConsumeOptions {
        no_ack: true,
        ..Default::default()
    };
    let mut consumer = channel
        .basic_consume("q".into(), "".into(), options, FieldTable::default())
        .await
        .unwrap();
    for n in 0..5 {
        assert_eq!(body(&next(&mut consumer).await), n.to_string());
    }
}

#[tokio::test]
async fn what_is_given_back_comes_again_at_its_place_and_marked() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = filled(&broker, 3).await;
    let first = get(&channel, "q").await.unwrap();
    let second = get(&channel, "q").await.unwrap();
    assert!(!first.redelivered);
    second.nack(REQUEUE).await.unwrap();
    first
        .reject(BasicRejectOptions { requeue: true })
        .await
        .unwrap();
    for (expected, redelivered) in [("0", true), ("1", true), ("2", false)] {
        let delivery = take(&channel, "q").await.unwrap();
        assert_eq!(
            (body(&delivery).as_str(), delivery.redelivered),
            (expected, redelivered)
        );
    }
}

#[tokio::test]
async fn multiple_is_about_all_up_to_the_tag() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = filled(&broker, 6).await;
    let mut deliveries = Vec::new();
    for _ in 0..6 {
        deliveries.push(get(&channel, "q").await.unwrap());
    }
    deliveries[1]
        .ack(BasicAckOptions { multiple: true })
        .await
        .unwrap();
    deliveries[3]
        .nack(BasicNackOptions {
            multiple: true,
            requeue: true,
        })
        .await
        .unwrap();
    channel
        .basic_nack(
            0,
            BasicNackOptions {
                multiple: true,
                requeue: true,
            },
        )
        .await
        .unwrap();
    for expected in ["2", "3", "4", "5"] {
        assert_eq!(body(&take(&channel, "q").await.unwrap()), expected);
    }
    assert!(take(&channel, "q").await.is_none());
}

#[tokio::test]
async fn an_unknown_delivery_tag_closes_the_channel() {
    use amq_protocol::protocol::{AMQPClass, basic, channel};
    let broker = TestBroker::start().await;
    // Without lapin: it answers what is asked on a channel that was just closed with an error of its own.
    let mut raw = broker.raw().await;
    raw.open_channel(0).await;
    let ack = basic::Ack {
        delivery_tag: 1,
        multiple: false,
    };
    raw.send(1, AMQPClass::Basic(basic::AMQPMethod::Ack(ack)))
        .await;
    let AMQPClass::Channel(channel::AMQPMethod::Close(close)) = raw.method().await else {
        panic!("the channel is not closed");
    };
    assert_eq!(close.reply_code, 406);
    let text = close.reply_text.as_str();
    assert!(text.contains("unknown delivery tag 1"), "{text}");
    // The connection lives.
    raw.send(
        2,
        AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})),
    )
    .await;
    let opened = raw.method().await;
    assert!(
        matches!(opened, AMQPClass::Channel(channel::AMQPMethod::OpenOk(_))),
        "{opened:?}"
    );
}

#[tokio::test]
async fn what_a_lost_connection_had_comes_again() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = filled(&broker, 2).await;
    let mut other = broker.raw().await;
    other.open_channel(0).await;
    let get = amq_protocol::protocol::basic::Get {
        queue: "q".into(),
        no_ack: false,
    };
    let get = amq_protocol::protocol::AMQPClass::Basic(
        amq_protocol::protocol::basic::AMQPMethod::Get(get),
    );
    other.send(1, get).await;
    other.method().await;
    assert_waiting(&channel, "q", 1).await;
    drop(other);
    assert_waiting(&channel, "q", 2).await;
    let delivery = take(&channel, "q").await.unwrap();
    assert_eq!(
        (body(&delivery).as_str(), delivery.redelivered),
        ("0", true)
    );
}

#[tokio::test]
async fn closing_a_channel_gives_back_what_it_had() {
    let broker = TestBroker::start().await;
    let (connection, channel) = filled(&broker, 4).await;
    let consuming = connection.create_channel().await.unwrap();
    let mut consumer = consume(&consuming, "q").await;
    for _ in 0..4 {
        next(&mut consumer).await;
    }
    consuming.close(200, "bye".into()).await.unwrap();
    for expected in ["0", "1", "2", "3"] {
        assert_eq!(body(&take(&channel, "q").await.unwrap()), expected);
    }
}

#[tokio::test]
async fn a_cancelled_consumer_gets_nothing_more_and_may_still_acknowledge() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = filled(&broker, 1).await;
    let mut consumer = consume(&channel, "q").await;
    let delivery = next(&mut consumer).await;
    channel
        .basic_cancel(consumer.tag(), BasicCancelOptions::default())
        .await
        .unwrap();
    publish(&channel, "", "q", "later").await;
    assert_waiting(&channel, "q", 1).await;
    delivery.ack(BasicAckOptions::default()).await.unwrap();
    assert_waiting(&channel, "q", 1).await;
}

#[tokio::test]
async fn an_exclusive_consumer_is_alone() {
    let broker = TestBroker::start().await;
    let (connection, channel) = filled(&broker, 0).await;
    let exclusive = BasicConsumeOptions {
        exclusive: true,
        ..Default::default()
    };
    let alone = channel
        .basic_consume("q".into(), "alone".into(), exclusive, FieldTable::default())
        .await
        .unwrap();
    let words = "queue 'q' in vhost '/' in exclusive use";
    for options in [BasicConsumeOptions::default(), exclusive] {
        let other = connection.create_channel().await.unwrap();
        let refused = other
            .basic_consume("q".into(), "".into(), options, FieldTable::default())
            .await;
        assert_refused(refused.map(|_| ()), 403, words);
    }
    channel
        .basic_cancel(alone.tag(), BasicCancelOptions::default())
        .await
        .unwrap();
    let _shared = consume(&channel, "q").await;
    let other = connection.create_channel().await.unwrap();
    let refused = other
        .basic_consume("q".into(), "".into(), exclusive, FieldTable::default())
        .await;
    assert_refused(refused.map(|_| ()), 403, words);
}

#[tokio::test]
async fn recovering_gives_all_back() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = filled(&broker, 2).await;
    get(&channel, "q").await.unwrap();
    get(&channel, "q").await.unwrap();
    channel
        .basic_recover(BasicRecoverOptions { requeue: true })
        .await
        .unwrap();
    for expected in ["0", "1"] {
        let delivery = take(&channel, "q").await.unwrap();
        assert_eq!(
            (body(&delivery).as_str(), delivery.redelivered),
            (expected, true)
        );
    }
}

#[tokio::test]
async fn the_flow_cannot_be_stopped() {
    let (_broker, channel) = broker_and_channel().await;
    let flow = |active| channel.channel_flow(ChannelFlowOptions { active });
    assert!(flow(true).await.unwrap());
    assert_refused(flow(false).await, 540, "active=false");
}

#[tokio::test]
async fn getting_tells_how_many_are_left() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = filled(&broker, 2).await;
    for left in [1, 0] {
        let got = channel
            .basic_get("q".into(), Default::default())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(got.message_count, left);
    }
    assert!(take(&channel, "q").await.is_none());
}

#[tokio::test]
async fn recovering_for_the_same_consumers_is_not_implemented() {
    let (_broker, channel) = broker_and_channel().await;
    let options = BasicRecoverOptions { requeue: false };
    assert_refused(channel.basic_recover(options).await, 540, "requeue=false");
}
