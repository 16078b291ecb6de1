//! Publishing: confirms, returns, and what is refused.

use futures::future::join_all;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Confirmation, ExchangeKind};

use super::topology::{bind, broker_and_channel, confirm, exchange_with, internal_exchange};
use crate::support::{
    TestBroker, assert_refused, assert_waiting, body, declare, int, publish, publish_with, take,
    text,
};

async fn confirming(broker: &TestBroker) -> (lapin::Connection, Channel) {
    let (connection, channel) = broker.channel().await;
    confirm(&channel).await;
    (connection, channel)
}

async fn send(
    channel: &Channel,
    key: &str,
    options: BasicPublishOptions,
    body: &[u8],
) -> lapin::Result<Confirmation> {
    channel
        .basic_publish(
            "".into(),
            key.into(),
            options,
            body,
            BasicProperties::default(),
        )
        .await?
        .await
}

const MANDATORY: BasicPublishOptions = BasicPublishOptions {
    mandatory: true,
    immediate: false,
};

#[tokio::test]
async fn every_message_is_confirmed_once() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = confirming(&broker).await;
    declare(&channel, "q", &[]).await.unwrap();
    let mut confirms = Vec::new();
    for n in 0..1000 {
        let body = n.to_string();
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish(
            "".into(),
            "q".into(),
            options,
            body.as_bytes(),
            BasicProperties::default(),
        );
        confirms.push(sent.await.unwrap());
    }
    for confirm in join_all(confirms).await {
        assert_eq!(confirm.unwrap(), Confirmation::Ack(None));
    }
    assert_waiting(&channel, "q", 1000).await;
    for n in 0..1000 {
        assert_eq!(
            body(&take(&channel, "q").await.unwrap()),
            n.to_string(),
            "in the order of publishing"
        );
    }
}

#[tokio::test]
async fn a_mandatory_message_without_a_queue_is_returned_before_its_confirm() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = confirming(&broker).await;
    let confirmation = send(&channel, "nowhere", MANDATORY, b"lost").await.unwrap();
    assert!(confirmation.is_ack());
    let returned = confirmation
        .take_message()
        .expect("lapin pairs the return with the confirm that follows");
    assert_eq!(
        (returned.reply_code, returned.reply_text.as_str()),
        (312, "NO_ROUTE")
    );
    assert_eq!(returned.delivery.routing_key.as_str(), "nowhere");
    assert_eq!(returned.delivery.data, b"lost");

    declare(&channel, "q", &[]).await.unwrap();
    assert_eq!(
        send(&channel, "q", MANDATORY, b"found").await.unwrap(),
        Confirmation::Ack(None)
    );
    let not_mandatory = send(&channel, "nowhere", BasicPublishOptions::default(), b"lost")
        .await
        .unwrap();
    assert_eq!(not_mandatory, Confirmation::Ack(None));
}

#[tokio::test]
async fn a_full_queue_may_refuse() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = confirming(&broker).await;
    declare(
        &channel,
        "q",
        &[
            ("x-max-length", int(2)),
            ("x-overflow", text("reject-publish")),
        ],
    )
    .await
    .unwrap();
    let plain = BasicPublishOptions::default();
    for expected in [true, true, false, false] {
        assert_eq!(
            send(&channel, "q", plain, b"m").await.unwrap().is_ack(),
            expected
        );
    }
    assert_waiting(&channel, "q", 2).await;
    take(&channel, "q").await.unwrap();
    assert!(
        send(&channel, "q", plain, b"m").await.unwrap().is_ack(),
        "there is room again"
    );
}

#[tokio::test]
async fn properties_and_body_come_out_as_they_went_in() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    let headers = crate::support::table(&[(
        "traceparent",
        text("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    )]);
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_headers(headers)
        .with_delivery_mode(2)
        .with_priority(3)
        .with_correlation_id("c".into())
        .with_reply_to("r".into())
        .with_message_id("m".into())
        .with_timestamp(1_700_000_000)
        .with_type("order.placed".into())
        .with_user_id("guest".into())
        .with_app_id("shop".into());
    publish_with(&channel, "", "q", "{}", properties.clone()).await;
    let delivery = take(&channel, "q").await.unwrap();
    assert_eq!(delivery.properties, properties);
    assert_eq!(body(&delivery), "{}");
}

#[tokio::test]
async fn bodies_of_every_size_pass() {
    let (_broker, channel) = broker_and_channel().await;
    declare(&channel, "q", &[]).await.unwrap();
    for size in [0, 1, 131_063, 131_064, 131_065, 262_128, 3_000_000] {
        let sent: Vec<u8> = (0..size).map(|n: usize| (n % 251) as u8).collect();
        send(&channel, "q", BasicPublishOptions::default(), &sent)
            .await
            .unwrap();
        let got = take(&channel, "q").await.unwrap();
        assert!(got.data == sent, "a body of {size} octets was changed");
    }
}

#[tokio::test]
async fn what_cannot_be_published_closes_the_channel() {
    let broker = TestBroker::start().await;
    let connection = broker.connect().await;
    let attempt = |exchange: &'static str, properties: BasicProperties| {
        let connection = &connection;
        async move {
            let channel = connection.create_channel().await.unwrap();
            confirm(&channel).await;
            let options = BasicPublishOptions::default();
            channel
                .basic_publish(exchange.into(), "k".into(), options, b"m", properties)
                .await?
                .await
        }
    };
    let plain = BasicProperties::default;
    assert_refused(
        attempt("nope", plain()).await,
        404,
        "no exchange 'nope' in vhost '/'",
    );
    assert_refused(
        attempt("", plain().with_expiration("soon".into())).await,
        406,
        "invalid expiration 'soon': no_integer",
    );
    assert_refused(
        attempt("", plain().with_expiration("-5".into())).await,
        406,
        "{value_negative,-5}",
    );
    assert_refused(
        attempt("", plain().with_user_id("bob".into())).await,
        406,
        "authenticated user was 'guest'",
    );
    let channel = connection.create_channel().await.unwrap();
    let internal = internal_exchange();
    exchange_with(&channel, "inside", ExchangeKind::Fanout, internal, &[])
        .await
        .unwrap();
    assert_refused(
        attempt("inside", plain()).await,
        403,
        "cannot publish to internal exchange 'inside'",
    );
}

#[tokio::test]
async fn immediate_is_not_implemented() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = confirming(&broker).await;
    let immediate = BasicPublishOptions {
        mandatory: false,
        immediate: true,
    };
    assert_refused(
        send(&channel, "q", immediate, b"m").await,
        540,
        "immediate=true",
    );
}

#[tokio::test]
async fn a_fanout_shares_one_message_among_queues() {
    let (_broker, channel) = broker_and_channel().await;
    for queue in ["a", "b", "c"] {
        declare(&channel, queue, &[]).await.unwrap();
        bind(&channel, queue, "amq.fanout", "").await.unwrap();
    }
    publish(&channel, "amq.fanout", "", "to all").await;
    for queue in ["a", "b", "c"] {
        assert_eq!(body(&take(&channel, queue).await.unwrap()), "to all");
    }
}
