//! The boundary to a message broker, without a broker: the spans, and the headers of a message as a carrier.
//! The end-to-end tests use a real broker.

use lapin::{
    BasicProperties,
    message::Delivery,
    types::{AMQPValue, FieldTable},
};
use opentelemetry::{
    Context, Value,
    baggage::BaggageExt,
    trace::{SpanKind, Status},
};
use telemetry::{
    SavedContext,
    amqp::{self, Message, MessagingRelation, SendError},
};

use crate::recorder::{Recorder, attributes, error_text, expected, text};

const TRACE: &str = "12345678901234567890123456789012";
const PRODUCER: &str = "00-12345678901234567890123456789012-1234567890123456-01";

#[tokio::test]
async fn an_attempt_to_send_is_a_producer_span_even_without_a_connection() {
    let recorder = Recorder::start();
    let message = Message {
        exchange: "shop",
        routing_key: "order.placed",
        id: "m-1",
        content_type: "application/json",
        body: b"{}",
    };
    let outcome = amqp::send(None, message).await;
    assert!(
        matches!(outcome, Err(SendError::Disconnected)),
        "{outcome:?}"
    );

    let span = recorder.only().await;
    assert_eq!(span.name, "send shop:order.placed");
    assert_eq!(span.span_kind, SpanKind::Producer);
    assert_eq!(error_text(&span), "there is no connection to the broker");
    assert_eq!(
        attributes(&span),
        expected([
            ("error.type", text("disconnected")),
            ("messaging.destination.name", text("shop:order.placed")),
            ("messaging.message.body.size", Value::I64(2)),
            ("messaging.message.id", text("m-1")),
            ("messaging.operation.name", text("send")),
            ("messaging.operation.type", text("send")),
            (
                "messaging.rabbitmq.destination.routing_key",
                text("order.placed")
            ),
            ("messaging.system", text("rabbitmq")),
        ])
    );
}

#[tokio::test]
async fn a_consumer_goes_on_in_the_trace_of_the_producer_and_links_to_it() {
    let recorder = Recorder::start();
    let delivery = delivery([("traceparent", long(PRODUCER))]);
    drop(process(&delivery, MessagingRelation::Parent));

    let span = recorder.only().await;
    assert_eq!(span.name, "process shop:order.placed:email");
    assert_eq!(span.span_kind, SpanKind::Consumer);
    assert_eq!(span.status, Status::Unset);
    assert_eq!(span.span_context.trace_id().to_string(), TRACE);
    assert_eq!(span.parent_span_id.to_string(), "1234567890123456");
    assert_eq!(span.links.len(), 1);
    assert_eq!(
        span.links[0].span_context.span_id().to_string(),
        "1234567890123456"
    );
    assert_eq!(
        attributes(&span),
        expected([
            (
                "messaging.destination.name",
                text("shop:order.placed:email")
            ),
            ("messaging.message.body.size", Value::I64(2)),
            ("messaging.message.id", text("m-1")),
            ("messaging.operation.name", text("process")),
            ("messaging.operation.type", text("process")),
            ("messaging.rabbitmq.destination.routing_key", text("retry")),
            ("messaging.rabbitmq.message.delivery_tag", Value::I64(7)),
            ("messaging.system", text("rabbitmq")),
        ])
    );
}

#[tokio::test]
async fn a_context_is_read_however_the_client_has_written_its_text() {
    for write in [
        long,
        |text: &str| AMQPValue::ShortString(text.into()),
        |text: &str| bytes(text.as_bytes()),
    ] {
        let recorder = Recorder::start();
        let delivery = delivery([
            ("traceparent", write(PRODUCER)),
            ("tracestate", write("foo=1")),
            ("baggage", write("lab.request=r-1")),
        ]);
        drop(process(&delivery, MessagingRelation::Parent));
        let span = recorder.only().await;
        let headers = delivery.properties.headers();
        assert_eq!(
            span.span_context.trace_id().to_string(),
            TRACE,
            "{headers:?}"
        );
        assert_eq!(
            span.span_context.trace_state().header(),
            "foo=1",
            "{headers:?}"
        );
        let request = ("lab.request".to_owned(), "r-1".to_owned(), String::new());
        assert_eq!(amqp::baggage_members(&delivery), [request], "{headers:?}");
    }
}

#[tokio::test]
async fn a_consumer_of_several_messages_links_to_each_and_counts_them() {
    let recorder = Recorder::start();
    let deliveries = [
        delivery([("traceparent", long(PRODUCER))]),
        delivery([("traceparent", bytes(PRODUCER.as_bytes()))]),
    ];
    drop(amqp::batch_span(&deliveries, "shop:order.placed", "email"));

    let span = recorder.only().await;
    assert_eq!(span.name, "process shop:order.placed:email");
    assert_eq!(span.span_kind, SpanKind::Consumer);
    assert_ne!(span.span_context.trace_id().to_string(), TRACE);
    let linked: Vec<String> = span
        .links
        .iter()
        .map(|link| link.span_context.trace_id().to_string())
        .collect();
    assert_eq!(linked, [TRACE, TRACE]);
    assert_eq!(
        attributes(&span),
        expected([
            ("messaging.batch.message_count", Value::I64(2)),
            (
                "messaging.destination.name",
                text("shop:order.placed:email")
            ),
            ("messaging.operation.name", text("process")),
            ("messaging.operation.type", text("process")),
            ("messaging.system", text("rabbitmq")),
        ])
    );
}

#[tokio::test]
async fn a_consumer_with_a_trace_of_its_own_keeps_the_link_and_the_baggage_alone() {
    let recorder = Recorder::start();
    // The SDK's own type cannot hold it.
    let vendor = format!("t@{}=1", "v".repeat(14));
    let delivery = delivery([
        ("traceparent", long(PRODUCER)),
        ("tracestate", long(&vendor)),
        ("baggage", long("lab.request=r-1;p=2")),
    ]);
    let span = process(&delivery, MessagingRelation::Link);
    let sent: serde_json::Value =
        serde_json::from_str(&span.in_scope(SavedContext::current).to_json()).unwrap();
    drop(span);

    let span = recorder.only().await;
    let own = &span.span_context;
    assert_ne!(own.trace_id().to_string(), TRACE);
    assert_eq!(span.parent_span_id.to_string(), "0000000000000000");
    assert_eq!(span.links.len(), 1);
    assert_eq!(span.links[0].span_context.trace_id().to_string(), TRACE);
    assert_eq!(
        sent,
        serde_json::json!({
            "traceparent": format!("00-{}-{}-03", own.trace_id(), own.span_id()),
            "baggage": "lab.request=r-1;p=2",
        }),
        "the flags and the tracestate of the producer are not those of this trace"
    );
}

#[tokio::test]
async fn the_baggage_of_the_producer_is_that_of_the_work() {
    let _recorder = Recorder::start();
    let delivery = delivery([("traceparent", long(PRODUCER)), ("baggage", long("a=1"))]);
    for relation in [MessagingRelation::Parent, MessagingRelation::Link] {
        let span = process(&delivery, relation);
        let value = span.in_scope(|| {
            Context::current()
                .baggage()
                .get("a")
                .map(ToString::to_string)
        });
        assert_eq!(value.as_deref(), Some("1"), "{relation:?}");
    }
}

#[tokio::test]
async fn a_message_without_a_context_starts_a_trace_without_a_link() {
    for headers in [
        vec![],
        vec![("traceparent", AMQPValue::LongLongInt(7))],
        vec![("traceparent", AMQPValue::LongString(b"\xff\xfe"[..].into()))],
        vec![("traceparent", bytes(b"\xff\xfe"))],
        vec![("traceparent", long("00-not-a-context-01"))],
    ] {
        for relation in [MessagingRelation::Parent, MessagingRelation::Link] {
            let recorder = Recorder::start();
            drop(process(&delivery(headers.clone()), relation));
            let span = recorder.only().await;
            assert_eq!(
                span.parent_span_id.to_string(),
                "0000000000000000",
                "{headers:?}"
            );
            assert!(span.links.is_empty(), "{headers:?}: {:?}", span.links);
        }
    }
}

#[tokio::test]
async fn a_consumer_is_no_child_of_what_happens_to_run_around_it() {
    let recorder = Recorder::start();
    let around = tracing::info_span!("around");
    around.in_scope(|| drop(process(&delivery([]), MessagingRelation::Parent)));
    let span = recorder.only().await;
    assert_eq!(span.parent_span_id.to_string(), "0000000000000000");
}

fn process(delivery: &Delivery, relation: MessagingRelation) -> tracing::Span {
    amqp::process_span(delivery, "shop:order.placed", "email", relation)
}

/// A message from the retry queue, whose headers no longer have its original exchange and routing key.
fn delivery<'a>(headers: impl IntoIterator<Item = (&'a str, AMQPValue)>) -> Delivery {
    let mut table = FieldTable::default();
    for (name, value) in headers {
        table.insert(name.into(), value);
    }
    let mut delivery = Delivery::mock(7, "".into(), "retry".into(), true, b"{}".to_vec());
    delivery.properties = BasicProperties::default()
        .with_message_id("m-1".into())
        .with_headers(table);
    delivery
}

fn long(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

fn bytes(bytes: &[u8]) -> AMQPValue {
    AMQPValue::ByteArray(bytes.into())
}
