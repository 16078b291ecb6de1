//! The boundary to a message broker: PRODUCER and CONSUMER spans around lapin.
//!
//! Context travels in the headers of the message. Semantic conventions: "Messaging" and "RabbitMQ" (in
//! development): a destination is `{exchange}:{routing key}`; for a consumer, `:{queue}` follows.

use std::time::Duration;

use lapin::{
    BasicProperties, Channel, Confirmation,
    message::Delivery,
    options::BasicPublishOptions,
    types::{AMQPValue, FieldTable, ShortString},
};
use opentelemetry::{
    Context, global,
    propagation::{Extractor, Injector},
    trace::{Status, TraceContextExt},
};
use opentelemetry_semantic_conventions::attribute::ERROR_TYPE;
use thiserror::Error;
use tokio::time::timeout;
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::propagation;

/// How long a broker may take to confirm a message.
const CONFIRM_PATIENCE: Duration = Duration::from_secs(2);

/// A message to send. It is persistent and mandatory; sending succeeds only when the broker confirms it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The exchange to which it is published.
    pub exchange: &'a str,
    /// The key by which the exchange routes it.
    pub routing_key: &'a str,
    /// The id of the message, by which consumers recognize a second delivery.
    pub id: &'a str,
    /// The media type of the body.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// Why a message was not sent.
#[derive(Debug, Error)]
pub enum SendError {
    /// The broker is away, or the channel was closed.
    #[error("the broker could not be reached: {0}")]
    Broker(#[from] lapin::Error),
    /// There is no connection now.
    #[error("there is no connection to the broker")]
    Disconnected,
    /// The broker did not confirm in time; the message may have arrived.
    #[error("the broker did not confirm within {CONFIRM_PATIENCE:?}")]
    Timeout,
    /// No queue is bound for the routing key.
    #[error("no queue takes messages of {exchange}:{routing_key} ({reply})")]
    Returned {
        /// The exchange to which it was published.
        exchange: String,
        /// The routing key.
        routing_key: String,
        /// The broker's reply.
        reply: String,
    },
    /// The broker could not store the message.
    #[error("the broker refused the message")]
    Refused,
    /// The channel was not put into confirm mode.
    #[error("the channel does not confirm what is published")]
    Unconfirmed,
    /// A name or an id is longer than 255 bytes.
    #[error("{0:?} is too long for AMQP")]
    TooLong(String),
}

/// The relation of a consumer's span to the producer's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessagingRelation {
    /// The consumer's span is in the producer's trace, and also links to the producer's span.
    #[default]
    Parent,
    /// The consumer's span starts a new trace and links to the producer's span.
    Link,
}

// === Sending ===

/// Publishes a message in its PRODUCER span, and waits until the broker has confirmed it.
///
/// Without a channel, because there is no connection now, the attempt fails at once. The trace shows the
/// attempt.
///
/// # Errors
///
/// When the broker did not confirm the message. After a [`Timeout`](SendError::Timeout) the broker may still
/// have it.
pub async fn send(channel: Option<&Channel>, message: Message<'_>) -> Result<(), SendError> {
    let span = producer_span(&message);
    let mut headers = FieldTable::default();
    global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&span.context(), &mut TableInjector(&mut headers));
    });
    let outcome = match channel {
        None => Err(SendError::Disconnected),
        Some(channel) => timeout(CONFIRM_PATIENCE, publish(channel, message, headers))
            .instrument(span.clone())
            .await
            .unwrap_or(Err(SendError::Timeout)),
    };
    if let Err(error) = &outcome {
        span.set_attribute(ERROR_TYPE, error.kind());
        span.set_status(Status::error(error.to_string()));
    }
    outcome
}

fn producer_span(message: &Message<'_>) -> Span {
    let destination = destination(message.exchange, message.routing_key);
    tracing::info_span!(
        "amqp.send",
        otel.name = format!("send {destination}"),
        otel.kind = "producer",
        messaging.system = "rabbitmq",
        messaging.operation.name = "send",
        messaging.operation.type = "send",
        messaging.destination.name = destination,
        messaging.rabbitmq.destination.routing_key = message.routing_key,
        messaging.message.id = message.id,
        messaging.message.body.size = i64::try_from(message.body.len()).ok(),
    )
}

/// The default exchange has an empty name, which is left out: the name of the queue remains.
fn destination(exchange: &str, routing_key: &str) -> String {
    match exchange {
        "" => routing_key.to_owned(),
        exchange => format!("{exchange}:{routing_key}"),
    }
}

async fn publish(
    channel: &Channel,
    message: Message<'_>,
    headers: FieldTable,
) -> Result<(), SendError> {
    const PERSISTENT: u8 = 2;
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let properties = BasicProperties::default()
        .with_message_id(short(message.id)?)
        .with_content_type(short(message.content_type)?)
        .with_delivery_mode(PERSISTENT)
        .with_headers(headers);
    let confirmation = channel
        .basic_publish(
            short(message.exchange)?,
            short(message.routing_key)?,
            options,
            message.body,
            properties,
        )
        .await?
        .await?;
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(returned)) => Err(SendError::Returned {
            exchange: message.exchange.to_owned(),
            routing_key: message.routing_key.to_owned(),
            reply: returned.reply_text.to_string(),
        }),
        Confirmation::Nack(_) => Err(SendError::Refused),
        Confirmation::NotRequested => Err(SendError::Unconfirmed),
    }
}

fn short(text: &str) -> Result<ShortString, SendError> {
    ShortString::try_new(text).map_err(|_| SendError::TooLong(text.to_owned()))
}

impl SendError {
    fn kind(&self) -> &'static str {
        match self {
            SendError::Broker(_) => "broker_unreachable",
            SendError::Disconnected => "disconnected",
            SendError::Timeout => "timeout",
            SendError::Returned { .. } => "returned",
            SendError::Refused => "refused",
            SendError::Unconfirmed => "unconfirmed",
            SendError::TooLong(_) => "too_long",
        }
    }
}

// === Receiving ===

/// The CONSUMER span in which a delivery is processed. It always links to the span that sent it.
///
/// `origin` is the address to which the message was first published (`exchange:routing key`): a redelivery
/// comes through a retry queue and no longer has its own.
pub fn process_span(
    delivery: &Delivery,
    origin: &str,
    queue: &str,
    relation: MessagingRelation,
) -> Span {
    let properties = &delivery.properties;
    let message_id = properties.message_id().as_ref();
    let span = consumer_span(
        origin,
        queue,
        ConsumerFields {
            routing_key: Some(delivery.routing_key.as_str()),
            delivery_tag: i64::try_from(delivery.delivery_tag).ok(),
            message_id: message_id.map(ShortString::as_str),
            body_size: i64::try_from(delivery.data.len()).ok(),
            ..ConsumerFields::default()
        },
    );
    let sender = extract(delivery);
    let creation = sender.span().span_context().clone();
    match relation {
        MessagingRelation::Parent => propagation::adopt(&span, sender),
        // The baggage is kept: it belongs to the request, not to the trace.
        MessagingRelation::Link => {
            propagation::adopt(&span, propagation::baggage_alone(&sender));
        }
    }
    span.add_link(creation);
    span
}

/// The CONSUMER span in which several deliveries are processed together.
///
/// The span has several senders but can be the child of one span only, so it starts a new trace and links to
/// each sender.
pub fn batch_span(deliveries: &[Delivery], origin: &str, queue: &str) -> Span {
    let span = consumer_span(
        origin,
        queue,
        ConsumerFields {
            message_count: i64::try_from(deliveries.len()).ok(),
            ..ConsumerFields::default()
        },
    );
    for delivery in deliveries {
        span.add_link(extract(delivery).span().span_context().clone());
    }
    span
}

/// The attributes of a CONSUMER span that belong to one message, or to a batch of them.
#[derive(Default)]
struct ConsumerFields<'a> {
    routing_key: Option<&'a str>,
    delivery_tag: Option<i64>,
    message_id: Option<&'a str>,
    body_size: Option<i64>,
    message_count: Option<i64>,
}

/// Opens a CONSUMER span without a parent. A field that is `None` makes no attribute.
fn consumer_span(origin: &str, queue: &str, fields: ConsumerFields<'_>) -> Span {
    let destination = format!("{origin}:{queue}");
    tracing::info_span!(
        parent: None,
        "amqp.process",
        otel.name = format!("process {destination}"),
        otel.kind = "consumer",
        messaging.system = "rabbitmq",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.destination.name = destination,
        messaging.rabbitmq.destination.routing_key = fields.routing_key,
        messaging.rabbitmq.message.delivery_tag = fields.delivery_tag,
        messaging.message.id = fields.message_id,
        messaging.message.body.size = fields.body_size,
        messaging.batch.message_count = fields.message_count,
    )
}

/// The members of the baggage that came with a delivery: key, value and properties.
pub fn baggage_members(delivery: &Delivery) -> Vec<(String, String, String)> {
    propagation::members(&extract(delivery))
}

fn extract(delivery: &Delivery) -> Context {
    let empty = FieldTable::default();
    let headers = delivery.properties.headers().as_ref().unwrap_or(&empty);
    global::get_text_map_propagator(|propagator| {
        propagator.extract_with_context(&Context::new(), &TableExtractor(headers))
    })
}

// === The headers of a message as a carrier ===

struct TableInjector<'a>(&'a mut FieldTable);

struct TableExtractor<'a>(&'a FieldTable);

impl Injector for TableInjector<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let Ok(key) = ShortString::try_new(key) {
            self.0.insert(key, AMQPValue::LongString(value.into()));
        }
    }
}

impl Extractor for TableExtractor<'_> {
    /// Clients write the same text as a long string (`S`), a short string (`s`) or bytes (`x`).
    fn get(&self, key: &str) -> Option<&str> {
        match self.0.inner().get(key)? {
            AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
            AMQPValue::ShortString(text) => Some(text.as_str()),
            AMQPValue::ByteArray(bytes) => std::str::from_utf8(bytes.as_slice()).ok(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        self.0.inner().keys().map(ShortString::as_str).collect()
    }
}
