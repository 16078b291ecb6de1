//! The boundary to a message broker: PRODUCER and CONSUMER spans around lapin.
//!
//! Context travels in the headers of the message. Semantic conventions: "Messaging" and "RabbitMQ"
//! (in development): a destination is `{exchange}:{routing key}`, with `:{queue}` behind it for a
//! consumer.

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

/// A message to be sent. It is persistent, mandatory, and sent only when the broker says so.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The exchange that it is published to.
    pub exchange: &'a str,
    /// The key by which the exchange routes it.
    pub routing_key: &'a str,
    /// Its id, by which consumers know that they had it before.
    pub id: &'a str,
    /// The media type of the body.
    pub content_type: &'a str,
    /// What it says.
    pub body: &'a [u8],
}

/// Why a message was not sent.
#[derive(Debug, Error)]
pub enum SendError {
    /// The broker is away, or the channel was closed.
    #[error("the broker could not be reached: {0}")]
    Broker(#[from] lapin::Error),
    /// There is no connection at the moment.
    #[error("there is no connection to the broker")]
    Disconnected,
    /// The broker did not confirm in time; the message may have arrived.
    #[error("the broker did not confirm within {CONFIRM_PATIENCE:?}")]
    Timeout,
    /// No queue is bound for it.
    #[error("no queue takes messages of {exchange}:{routing_key} ({reply})")]
    Returned {
        /// The exchange that it was published to.
        exchange: String,
        /// The key that no queue is bound with.
        routing_key: String,
        /// What the broker said.
        reply: String,
    },
    /// The broker could not keep it.
    #[error("the broker refused the message")]
    Refused,
    /// The channel was not put into confirm mode.
    #[error("the channel does not confirm what is published")]
    Unconfirmed,
    /// A name or an id is longer than 255 bytes.
    #[error("{0:?} is too long for AMQP")]
    TooLong(String),
}

/// How a consumer's span stands to the producer's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessagingRelation {
    /// The consumer goes on in the producer's trace, and links to its span as well.
    #[default]
    Parent,
    /// The consumer starts a trace of its own that links to the producer's span.
    Link,
}

// === Sending ===

/// Publishes a message in its PRODUCER span, and waits until the broker has confirmed it.
///
/// Without a channel, because there is no connection at the moment, the attempt fails at once and is
/// seen in the trace all the same.
///
/// # Errors
///
/// When the broker did not confirm that it has the message. It may have it all the same after a
/// [`Timeout`](SendError::Timeout).
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

/// The default exchange has no name to be shown: what is left is the name of the queue.
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
/// `origin` is what the message was first published as (`exchange:routing key`): a redelivery comes
/// through a retry queue and no longer says so itself.
pub fn process_span(
    delivery: &Delivery,
    origin: &str,
    queue: &str,
    relation: MessagingRelation,
) -> Span {
    let destination = format!("{origin}:{queue}");
    let message_id = delivery
        .properties
        .message_id()
        .as_ref()
        .map(ShortString::as_str);
    let span = tracing::info_span!(
        parent: None,
        "amqp.process",
        otel.name = format!("process {destination}"),
        otel.kind = "consumer",
        messaging.system = "rabbitmq",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.destination.name = destination,
        messaging.rabbitmq.destination.routing_key = delivery.routing_key.as_str(),
        messaging.rabbitmq.message.delivery_tag = i64::try_from(delivery.delivery_tag).ok(),
        messaging.message.id = message_id,
        messaging.message.body.size = i64::try_from(delivery.data.len()).ok(),
    );
    let sender = extract(delivery);
    let creation = sender.span().span_context().clone();
    match relation {
        MessagingRelation::Parent => propagation::adopt(&span, sender),
        // The baggage still comes along: it belongs to the request, not to the trace.
        MessagingRelation::Link => {
            propagation::adopt(&span, propagation::baggage_alone(&sender));
        }
    }
    span.add_link(creation);
    span
}

/// The CONSUMER span in which several deliveries are processed together.
///
/// It has many senders and can be the child of one span only, so it starts a trace of its own and
/// links to each.
pub fn batch_span(deliveries: &[Delivery], origin: &str, queue: &str) -> Span {
    let destination = format!("{origin}:{queue}");
    let span = tracing::info_span!(
        parent: None,
        "amqp.process",
        otel.name = format!("process {destination}"),
        otel.kind = "consumer",
        messaging.system = "rabbitmq",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.destination.name = destination,
        messaging.batch.message_count = i64::try_from(deliveries.len()).ok(),
    );
    for delivery in deliveries {
        span.add_link(extract(delivery).span().span_context().clone());
    }
    span
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
    fn get(&self, key: &str) -> Option<&str> {
        match self.0.inner().get(key)? {
            AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
            AMQPValue::ShortString(text) => Some(text.as_str()),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        self.0.inner().keys().map(ShortString::as_str).collect()
    }
}
