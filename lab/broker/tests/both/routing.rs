//! Routing beyond one exchange and its keys: headers exchanges, alternate exchanges, exchanges that are bound
//! to exchanges.

use lapin::options::BasicPublishOptions;
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel, Confirmation, ExchangeKind};

use super::topology::{
    auto_delete_exchange, bind, bind_with, broker_and_channel, confirm, delete_queue,
    delete_unused_exchange, exchange, exchange_exists, exchange_with, internal_exchange, link,
    queues, unlink,
};
use crate::support::{
    TestBroker, arrives, assert_refused, assert_waiting, body, int, publish, publish_with, table,
    take, text,
};

/// Whether a queue that is bound with these arguments gets a message with these headers. The next message,
/// which it gets in any case, says that the first was routed.
async fn matches(
    channel: &Channel,
    arguments: &[(&str, AMQPValue)],
    headers: &[(&str, AMQPValue)],
) -> bool {
    queues(channel, &["q"]).await;
    bind_with(channel, "q", "amq.headers", "ignored", arguments)
        .await
        .unwrap();
    let properties = BasicProperties::default().with_headers(table(headers));
    publish_with(channel, "amq.headers", "", "by headers", properties).await;
    publish(channel, "", "q", "in any case").await;
    let first = arrives(channel, "q").await;
    delete_queue(channel, "q").await.unwrap();
    body(&first) == "by headers"
}

#[tokio::test]
async fn a_headers_exchange_compares_headers() {
    let (_broker, channel) = broker_and_channel().await;
    let (any, all_x) = (text("any"), text("all-with-x"));
    let (one, x) = (|| ("a", int(1)), || ("b", text("x")));
    type Row<'a> = (&'a [(&'a str, AMQPValue)], &'a [(&'a str, AMQPValue)], bool);
    let void = AMQPValue::Void;
    let rows: &[Row<'_>] = &[
        // Without `x-match`, all must match.
        (&[one(), x()], &[one(), x()], true),
        (&[one(), x()], &[one()], false),
        (&[one()], &[one(), x()], true),
        (&[one()], &[("a", int(2))], false),
        (&[one()], &[("a", AMQPValue::LongLongInt(1))], true),
        (&[one()], &[("a", text("1"))], false),
        (&[("x-match", any.clone()), one(), x()], &[x()], true),
        (&[("x-match", any.clone()), one()], &[x()], false),
        // An argument without a value asks whether the header is there.
        (&[("a", void.clone())], &[one()], true),
        (&[("a", void.clone())], &[x()], false),
        // No arguments: all of them match, and not any of them.
        (&[], &[], true),
        (&[("x-match", any.clone())], &[one()], false),
        // Arguments whose names begin with `x-` count only by a rule that says so.
        (&[("x-a", int(1))], &[], true),
        (
            &[("x-match", any.clone()), ("x-a", int(1))],
            &[("x-a", int(1))],
            false,
        ),
        (&[("x-match", all_x.clone()), ("x-a", int(1))], &[], false),
        (
            &[("x-match", all_x.clone()), ("x-a", int(1))],
            &[("x-a", int(1))],
            true,
        ),
        (
            &[("x-match", text("any-with-x")), ("x-a", int(1))],
            &[("x-a", int(1))],
            true,
        ),
    ];
    for (arguments, headers, expected) in rows {
        let found = matches(&channel, arguments, headers).await;
        assert_eq!(found, *expected, "{arguments:?} of {headers:?}");
    }
}

#[tokio::test]
async fn headers_exchanges_are_declared_and_predeclared() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = broker.channel().await;
    exchange(&channel, "x", ExchangeKind::Headers)
        .await
        .unwrap();
    queues(&channel, &["q"]).await;
    let one = [("a", int(1))];
    for name in ["x", "amq.headers", "amq.match"] {
        bind_with(&channel, "q", name, "", &one).await.unwrap();
        let properties = BasicProperties::default().with_headers(table(&one));
        publish_with(&channel, name, "", name, properties).await;
        assert_eq!(body(&arrives(&channel, "q").await), name);
    }
    for (value, words) in [
        (
            text("some"),
            "Invalid x-match field value <<\"some\">>; expected all, any, all-with-x, or any-with-x",
        ),
        (
            int(5),
            "Invalid x-match field type signedint (value 5); expected longstr",
        ),
    ] {
        let (_connection, channel) = broker.channel().await;
        let bound = bind_with(&channel, "q", "x", "", &[("x-match", value)]).await;
        assert_refused(bound, 406, words);
    }
}

#[tokio::test]
async fn nobody_publishes_to_the_exchange_of_the_trace() {
    let (_broker, channel) = broker_and_channel().await;
    exchange_exists(&channel, "amq.rabbitmq.trace")
        .await
        .unwrap();
    confirm(&channel).await;
    let sent = channel
        .basic_publish(
            "amq.rabbitmq.trace".into(),
            "k".into(),
            BasicPublishOptions::default(),
            b"",
            BasicProperties::default(),
        )
        .await
        .unwrap();
    assert_refused(
        sent.await,
        403,
        "cannot publish to internal exchange 'amq.rabbitmq.trace' in vhost '/'",
    );
}

#[tokio::test]
async fn an_exchange_gets_what_it_is_bound_to_and_routes_it_on() {
    let (_broker, channel) = broker_and_channel().await;
    exchange(&channel, "in", ExchangeKind::Topic).await.unwrap();
    let internal = internal_exchange();
    exchange_with(&channel, "out", ExchangeKind::Direct, internal, &[])
        .await
        .unwrap();
    queues(&channel, &["q", "all"]).await;
    bind(&channel, "q", "out", "order.placed").await.unwrap();
    bind(&channel, "all", "in", "#").await.unwrap();
    link(&channel, "in", "out", "order.*").await.unwrap();
    // Twice the same, and a circle: a message is still routed once.
    link(&channel, "in", "out", "order.*").await.unwrap();
    link(&channel, "in", "out", "#").await.unwrap();
    link(&channel, "out", "in", "order.placed").await.unwrap();
    publish(&channel, "in", "order.placed", "yes").await;
    publish(&channel, "in", "order.paid", "to all only").await;
    assert_waiting(&channel, "all", 2).await;
    assert_waiting(&channel, "q", 1).await;
    let got = take(&channel, "q").await.unwrap();
    assert_eq!(
        (got.exchange.as_str(), got.routing_key.as_str()),
        ("in", "order.placed")
    );
    unlink(&channel, "in", "out", "order.*").await.unwrap();
    unlink(&channel, "in", "out", "#").await.unwrap();
    unlink(&channel, "in", "out", "never bound").await.unwrap();
    publish(&channel, "in", "order.placed", "to all only").await;
    assert_waiting(&channel, "all", 3).await;
    assert_waiting(&channel, "q", 0).await;
}

#[tokio::test]
async fn what_cannot_be_bound_is_refused() {
    let broker = TestBroker::start().await;
    for (from, to, code, words) in [
        (
            "nowhere",
            "amq.topic",
            404,
            "no exchange 'nowhere' in vhost '/'",
        ),
        (
            "amq.topic",
            "nowhere",
            404,
            "no exchange 'nowhere' in vhost '/'",
        ),
        (
            "",
            "amq.topic",
            403,
            "not permitted on the default exchange",
        ),
        (
            "amq.topic",
            "",
            403,
            "not permitted on the default exchange",
        ),
    ] {
        let (_connection, channel) = broker.channel().await;
        assert_refused(link(&channel, from, to, "k").await, code, words);
    }
    // Like what was not bound, what does not exist may be unbound.
    let (_connection, channel) = broker.channel().await;
    unlink(&channel, "nowhere", "amq.topic", "k").await.unwrap();
    unlink(&channel, "amq.topic", "nowhere", "k").await.unwrap();
    assert_refused(
        unlink(&channel, "amq.topic", "", "k").await,
        403,
        "not permitted on the default exchange",
    );
}

#[tokio::test]
async fn exchanges_that_delete_themselves_go_in_a_row() {
    let broker = TestBroker::start().await;
    let (_connection, channel) = broker.channel().await;
    for name in ["first", "second"] {
        let options = auto_delete_exchange();
        exchange_with(&channel, name, ExchangeKind::Fanout, options, &[])
            .await
            .unwrap();
    }
    exchange(&channel, "third", ExchangeKind::Fanout)
        .await
        .unwrap();
    link(&channel, "first", "second", "").await.unwrap();
    link(&channel, "second", "third", "").await.unwrap();
    // It is bound to another, and nothing is bound to it.
    delete_unused_exchange(&channel, "third").await.unwrap();
    for name in ["first", "second"] {
        let (_connection, channel) = broker.channel().await;
        assert_refused(exchange_exists(&channel, name).await, 404, name);
    }
}

#[tokio::test]
async fn an_alternate_exchange_gets_what_matches_nothing() {
    let (_broker, channel) = broker_and_channel().await;
    let alternate = [("alternate-exchange", text("rest"))];
    let options = Default::default();
    exchange_with(&channel, "x", ExchangeKind::Direct, options, &alternate)
        .await
        .unwrap();
    queues(&channel, &["q", "r"]).await;
    bind(&channel, "q", "x", "k").await.unwrap();
    confirm(&channel).await;
    // It need not exist: what matches nothing is then returned.
    let mandatory = BasicPublishOptions {
        mandatory: true,
        ..Default::default()
    };
    let send = |key: &'static str| {
        let properties = BasicProperties::default();
        let sent = channel.basic_publish("x".into(), key.into(), mandatory, b"m", properties);
        async { sent.await.unwrap().await.unwrap() }
    };
    assert!(matches!(send("other").await, Confirmation::Ack(Some(_))));
    exchange(&channel, "rest", ExchangeKind::Fanout)
        .await
        .unwrap();
    bind(&channel, "r", "rest", "").await.unwrap();
    assert_eq!(send("other").await, Confirmation::Ack(None));
    assert_eq!(send("k").await, Confirmation::Ack(None));
    let rest = arrives(&channel, "r").await;
    assert_eq!(
        (rest.exchange.as_str(), rest.routing_key.as_str()),
        ("x", "other")
    );
    assert_waiting(&channel, "q", 1).await;
    assert_waiting(&channel, "r", 0).await;
}

#[tokio::test]
async fn an_alternate_exchange_is_a_text_and_is_declared_again_alike() {
    let broker = TestBroker::start().await;
    let (connection, channel) = broker.channel().await;
    let declare = async |value: Option<AMQPValue>| {
        let channel = connection.create_channel().await.unwrap();
        let arguments = value.map(|value| ("alternate-exchange", value));
        let arguments: Vec<_> = arguments.into_iter().collect();
        let options = Default::default();
        exchange_with(&channel, "x", ExchangeKind::Direct, options, &arguments).await
    };
    assert_refused(
        declare(Some(int(5))).await,
        406,
        "invalid type 'signedint' for arg 'alternate-exchange' in exchange 'x' in vhost '/'",
    );
    declare(Some(text("a"))).await.unwrap();
    declare(Some(text("a"))).await.unwrap();
    assert_refused(
        declare(Some(text("b"))).await,
        406,
        "inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': received 'b' but current is 'a'",
    );
    assert_refused(
        declare(None).await,
        406,
        "received none but current is the value 'a' of type 'longstr'",
    );
    exchange_exists(&channel, "x").await.unwrap();
}
