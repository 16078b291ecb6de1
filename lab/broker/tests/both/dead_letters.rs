//! How messages die, where they go, and what their `x-death` header says of it. The expected headers
//! were taken from RabbitMQ 3.10.

use lapin::message::Delivery;
use lapin::options::{BasicNackOptions, BasicRejectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};

use super::topology::{bind, broker_and_channel};
use crate::support::{
    arrives, assert_waiting, body, consume, declare, eventually, get, int, next, publish,
    publish_with, table, take, text, waiting,
};

fn headers(delivery: &Delivery) -> &FieldTable {
    delivery
        .properties
        .headers()
        .as_ref()
        .expect("a dead letter has headers")
}

fn deaths(delivery: &Delivery) -> Vec<FieldTable> {
    let deaths = headers(delivery).inner()["x-death"]
        .as_array()
        .expect("x-death is an array");
    deaths
        .as_slice()
        .iter()
        .map(|death| death.as_field_table().expect("of tables").clone())
        .collect()
}

/// Queue, reason and count of each death, the latest first.
fn summary(delivery: &Delivery) -> Vec<(String, String, i64)> {
    let text = |value: &AMQPValue| value.as_long_string().unwrap().to_string();
    let row = |death: &FieldTable| {
        let death = death.inner();
        (
            text(&death["queue"]),
            text(&death["reason"]),
            death["count"].as_long_long_int().expect("count is a long"),
        )
    };
    deaths(delivery).iter().map(row).collect()
}

fn rows(expected: &[(&str, &str, i64)]) -> Vec<(String, String, i64)> {
    expected
        .iter()
        .map(|(queue, reason, count)| (queue.to_string(), reason.to_string(), *count))
        .collect()
}

async fn reject(delivery: &Delivery) {
    delivery
        .reject(BasicRejectOptions { requeue: false })
        .await
        .unwrap();
}

/// Dead letters of `queue` go to the queue `to`.
async fn declare_dying(channel: &Channel, queue: &str, to: &str, more: &[(&str, AMQPValue)]) {
    let mut arguments = vec![
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(to)),
    ];
    arguments.extend_from_slice(more);
    declare(channel, queue, &arguments).await.unwrap();
}

#[tokio::test]
async fn a_rejected_message_tells_its_death() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, "dead", &[]).await.unwrap();
    declare_dying(&channel, "work", "dead", &[]).await;
    bind(&channel, "work", "amq.topic", "order.*")
        .await
        .unwrap();
    let properties = BasicProperties::default()
        .with_headers(table(&[("a", int(1))]))
        .with_message_id("m1".into());
    publish_with(&channel, "amq.topic", "order.placed", "m", properties).await;
    reject(&get(&channel, "work").await.unwrap()).await;

    let dead = arrives(&channel, "dead").await;
    assert_eq!(body(&dead), "m");
    assert_eq!(
        (
            dead.exchange.as_str(),
            dead.routing_key.as_str(),
            dead.redelivered
        ),
        ("", "dead", false)
    );
    assert_eq!(
        dead.properties.message_id().as_ref().unwrap().as_str(),
        "m1"
    );
    let headers = headers(&dead).inner();
    assert_eq!(headers["a"], int(1));
    assert_eq!(headers["x-first-death-queue"], text("work"));
    assert_eq!(headers["x-first-death-reason"], text("rejected"));
    assert_eq!(headers["x-first-death-exchange"], text("amq.topic"));
    let [death] = &deaths(&dead)[..] else {
        panic!("one death: {dead:?}")
    };
    let death = death.inner();
    assert_eq!(death["count"], AMQPValue::LongLongInt(1));
    assert_eq!(death["reason"], text("rejected"));
    assert_eq!(death["queue"], text("work"));
    assert_eq!(death["exchange"], text("amq.topic"));
    assert_eq!(
        death["routing-keys"].as_array().unwrap().as_slice(),
        [text("order.placed")]
    );
    assert!(
        death["time"].as_timestamp().unwrap() > 1_700_000_000,
        "seconds"
    );
    assert_eq!(death.len(), 6, "{death:?}");
}

#[tokio::test]
async fn a_retry_queue_counts_the_tries_and_the_latest_death_is_first() {
    let (_broker, channel) = broker_and_channel().await;
    declare_dying(&channel, "work", "retry", &[]).await;
    declare_dying(&channel, "retry", "work", &[("x-message-ttl", int(20))]).await;
    publish(&channel, "", "work", "m").await;
    let mut consumer = consume(&channel, "work").await;
    let first = next(&mut consumer).await;
    assert_eq!(first.properties.headers(), &None);
    reject(&first).await;
    for tries in 1..=3 {
        let delivery = next(&mut consumer).await;
        assert_eq!(
            summary(&delivery),
            rows(&[("retry", "expired", tries), ("work", "rejected", tries)])
        );
        assert_eq!(
            headers(&delivery).inner()["x-first-death-reason"],
            text("rejected")
        );
        reject(&delivery).await;
    }
}

#[tokio::test]
async fn an_expired_message_tells_what_its_time_was_and_does_not_die_of_it_again() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, "dead", &[]).await.unwrap();
    declare_dying(&channel, "work", "dead", &[]).await;
    let properties = BasicProperties::default().with_expiration("30".into());
    publish_with(&channel, "", "work", "m", properties).await;
    let dead = arrives(&channel, "dead").await;
    assert_eq!(summary(&dead), rows(&[("work", "expired", 1)]));
    assert_eq!(deaths(&dead)[0].inner()["original-expiration"], text("30"));
    assert_eq!(dead.properties.expiration(), &None);
}

#[tokio::test]
async fn the_shorter_time_to_live_counts() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, "long", &[("x-message-ttl", int(3_600_000))])
        .await
        .unwrap();
    declare(&channel, "short", &[("x-message-ttl", int(20))])
        .await
        .unwrap();
    for queue in ["long", "short"] {
        for expiration in ["20", "3600000"] {
            publish_with(
                &channel,
                "",
                queue,
                expiration,
                BasicProperties::default().with_expiration(expiration.into()),
            )
            .await;
        }
    }
    eventually("the death of three", || async {
        (waiting(&channel, "long").await == 1 && waiting(&channel, "short").await == 0)
            .then_some(())
    })
    .await;
    assert_eq!(body(&take(&channel, "long").await.unwrap()), "3600000");
}

#[tokio::test]
async fn a_time_to_live_of_zero_still_reaches_who_waits() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, "q", &[("x-message-ttl", int(0))])
        .await
        .unwrap();
    publish(&channel, "", "q", "nobody waits").await;
    assert!(take(&channel, "q").await.is_none());
    let mut consumer = consume(&channel, "q").await;
    publish(&channel, "", "q", "someone waits").await;
    assert_eq!(body(&next(&mut consumer).await), "someone waits");
}

#[tokio::test]
async fn the_oldest_gives_way_in_a_full_queue() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, "dead", &[]).await.unwrap();
    declare_dying(&channel, "work", "dead", &[("x-max-length", int(2))]).await;
    for n in 0..4 {
        publish(&channel, "", "work", &n.to_string()).await;
    }
    for expected in ["0", "1"] {
        let dead = arrives(&channel, "dead").await;
        assert_eq!(body(&dead), expected);
        assert_eq!(summary(&dead), rows(&[("work", "maxlen", 1)]));
    }
    assert_eq!(body(&take(&channel, "work").await.unwrap()), "2");
}

#[tokio::test]
async fn octets_are_a_limit_too() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, "q", &[("x-max-length-bytes", int(10))])
        .await
        .unwrap();
    for body in ["12345", "67890", "x"] {
        publish(&channel, "", "q", body).await;
    }
    assert_waiting(&channel, "q", 2).await;
    assert_eq!(body(&take(&channel, "q").await.unwrap()), "67890");
}

#[tokio::test]
async fn a_refused_message_may_be_dead_lettered_too() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, "dead", &[]).await.unwrap();
    let more = [
        ("x-max-length", int(1)),
        ("x-overflow", text("reject-publish-dlx")),
    ];
    declare_dying(&channel, "work", "dead", &more).await;
    publish(&channel, "", "work", "kept").await;
    publish(&channel, "", "work", "refused").await;
    let dead = arrives(&channel, "dead").await;
    assert_eq!(
        (body(&dead).as_str(), summary(&dead)),
        ("refused", rows(&[("work", "maxlen", 1)]))
    );
}

#[tokio::test]
async fn a_circle_without_a_rejection_is_broken() {
    let (_broker, channel) = broker_and_channel().await;
    declare_dying(&channel, "a", "b", &[("x-message-ttl", int(5))]).await;
    declare_dying(&channel, "b", "a", &[("x-message-ttl", int(5))]).await;
    declare_dying(&channel, "itself", "itself", &[("x-max-length", int(1))]).await;
    for n in 0..3 {
        publish(&channel, "", "itself", &n.to_string()).await;
    }
    assert_eq!(body(&take(&channel, "itself").await.unwrap()), "2");
    assert!(take(&channel, "itself").await.is_none());
    publish(&channel, "", "a", "m").await;
    eventually("the end of the circle", || async {
        (waiting(&channel, "a").await == 0 && waiting(&channel, "b").await == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_dead_letter_exchange_that_is_not_there_drops_in_silence() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, "q", &[("x-dead-letter-exchange", text("nope"))])
        .await
        .unwrap();
    publish(&channel, "", "q", "m").await;
    reject(&get(&channel, "q").await.unwrap()).await;
    assert!(take(&channel, "q").await.is_none());
}

#[tokio::test]
async fn without_a_key_of_its_own_a_dead_letter_keeps_the_messages_key() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, "dead", &[]).await.unwrap();
    bind(&channel, "dead", "amq.direct", "work").await.unwrap();
    declare(
        &channel,
        "work",
        &[("x-dead-letter-exchange", text("amq.direct"))],
    )
    .await
    .unwrap();
    publish(&channel, "", "work", "m").await;
    let delivery = get(&channel, "work").await.unwrap();
    delivery
        .nack(BasicNackOptions {
            multiple: false,
            requeue: false,
        })
        .await
        .unwrap();
    let dead = arrives(&channel, "dead").await;
    assert_eq!(
        (dead.exchange.as_str(), dead.routing_key.as_str()),
        ("amq.direct", "work")
    );
}

#[tokio::test]
async fn giving_back_is_no_death() {
    let (_broker, channel) = broker_and_channel().await;
    declare_dying(&channel, "work", "dead", &[]).await;
    declare(&channel, "dead", &[]).await.unwrap();
    publish(&channel, "", "work", "m").await;
    get(&channel, "work")
        .await
        .unwrap()
        .reject(BasicRejectOptions { requeue: true })
        .await
        .unwrap();
    assert_waiting(&channel, "work", 1).await;
    assert_waiting(&channel, "dead", 0).await;
}
