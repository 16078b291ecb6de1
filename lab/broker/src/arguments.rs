//! The `x-…` arguments of a queue: parsed, refused, compared.
//!
//! Arguments that RabbitMQ supports and this broker does not are refused with `NOT_IMPLEMENTED`. Names that
//! RabbitMQ does not know either are ignored, as RabbitMQ does. The texts are RabbitMQ's.

use std::time::Duration;

use amq_protocol::types::{AMQPValue, FieldTable};

use crate::field_value::{as_integer, is_same, shown, type_name, with_type};
use crate::reply_code::{Refusal, ReplyCode};

/// The arguments that must be equal when a queue is declared again, in the order of comparison.
const COMPARED: [&str; 12] = [
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-overflow",
    "x-single-active-consumer",
    "x-queue-type",
    "x-delivery-limit",
    "x-dead-letter-strategy",
];

/// The longest time of a timer, in milliseconds, as in RabbitMQ: ten years of 365 days.
const MAX_TIMER: i64 = 10 * 365 * 24 * 60 * 60 * 1000;

/// The arguments that RabbitMQ has for other kinds of queues, and refuses for a classic queue.
const NOT_CLASSIC: [&str; 9] = [
    "x-delivery-limit",
    "x-dead-letter-strategy",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-quorum-initial-group-size",
    "x-queue-leader-locator",
    "x-max-age",
    "x-stream-max-segment-size-bytes",
    "x-initial-cluster-size",
];

/// The same for a quorum queue.
const NOT_QUORUM: [&str; 7] = [
    "x-max-priority",
    "x-queue-mode",
    "x-queue-version",
    "x-queue-master-locator",
    "x-max-age",
    "x-stream-max-segment-size-bytes",
    "x-initial-cluster-size",
];

/// The parsed arguments of a queue.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) kind: Kind,
    /// How many times a message of a quorum queue may be returned before it is dead-lettered.
    pub(crate) delivery_limit: Option<u32>,
    /// The time to live of messages in the queue.
    pub(crate) message_ttl: Option<Duration>,
    /// The time without use after which the queue is deleted.
    pub(crate) expires: Option<Duration>,
    /// The highest number of waiting messages.
    pub(crate) max_length: Option<usize>,
    /// The highest sum of the body sizes of waiting messages, in octets.
    pub(crate) max_length_bytes: Option<usize>,
    /// What happens to messages when the queue is full.
    pub(crate) overflow: Overflow,
    /// The destination of dead messages.
    pub(crate) dead_letter: Option<DeadLetterTo>,
    /// The arguments as they were declared.
    declared: FieldTable,
}

/// The kind of a queue.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Classic,
    /// Always durable, and so are its messages; it counts the returns of each message. The quorum has one
    /// member, as on a RabbitMQ of one node.
    Quorum,
}

/// What happens to messages when a queue is full.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// The oldest message is dropped, or dead-lettered.
    #[default]
    DropHead,
    /// The new message is refused with a `basic.nack` to its publisher.
    RejectPublish,
    /// The new message is refused in the same way, and dead-lettered.
    RejectPublishDeadLetter,
}

/// The destination of a queue's dead messages.
#[derive(Debug, Clone)]
pub(crate) struct DeadLetterTo {
    pub(crate) exchange: String,
    /// The routing key; `None`: each message keeps its own.
    pub(crate) routing_key: Option<String>,
}

// === impl Kind ===

impl Kind {
    /// The refusal of an argument that RabbitMQ has for queues of other kinds only.
    pub(crate) fn refused(self, argument: &str, queue: &str) -> Refusal {
        let kind = match self {
            Self::Classic => "rabbit_classic_queue",
            Self::Quorum => "rabbit_quorum_queue",
        };
        let text = format!("invalid arg '{argument}' for {queue} of queue type {kind}");
        Refusal::new(ReplyCode::PreconditionFailed, text)
    }
}

// === impl Arguments ===

impl Arguments {
    /// Parses the arguments of a queue. `queue` describes it in error texts (`queue 'q' in vhost '/'`).
    pub(crate) fn parse(declared: FieldTable, queue: &str) -> Result<Self, Refusal> {
        let reader = Reader {
            table: &declared,
            queue,
        };
        let kind = reader.kind()?;
        reader.refuse_what_is_of_others(kind)?;
        reader.refuse_what_is_lacking()?;
        let delivery_limit = reader.integer("x-delivery-limit", 0, i64::MAX)?;
        reader.check_strategy()?;
        let expires = reader.integer("x-expires", 1, MAX_TIMER)?;
        let message_ttl = reader.integer("x-message-ttl", 0, MAX_TIMER)?;
        let dead_letter = reader.dead_letter()?;
        let max_length = reader.integer("x-max-length", 0, i64::MAX)?;
        let max_length_bytes = reader.integer("x-max-length-bytes", 0, i64::MAX)?;
        let overflow = reader.overflow()?;
        Ok(Self {
            kind,
            delivery_limit: delivery_limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
            message_ttl: message_ttl.map(Duration::from_millis),
            expires: expires.map(Duration::from_millis),
            max_length: max_length.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            max_length_bytes: max_length_bytes.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            overflow,
            dead_letter,
            declared,
        })
    }

    /// The arguments as they were declared.
    pub(crate) fn declared(&self) -> &FieldTable {
        &self.declared
    }

    /// Refuses a declaration whose arguments differ from those of the existing queue.
    pub(crate) fn check_equivalent(
        &self,
        received: &FieldTable,
        queue: &str,
    ) -> Result<(), Refusal> {
        for name in COMPARED {
            let current = self
                .declared
                .inner()
                .get(name)
                .filter(|value| !is_default(name, value));
            let received = received
                .inner()
                .get(name)
                .filter(|value| !is_default(name, value));
            let difference = match (received, current) {
                (Some(received), Some(current)) if is_same(received, current) => continue,
                (Some(received), Some(current)) => {
                    format!(
                        "received '{}' but current is '{}'",
                        shown(received),
                        shown(current)
                    )
                }
                (None, None) => continue,
                _ => format!(
                    "received {} but current is {}",
                    with_type(received),
                    with_type(current)
                ),
            };
            let text = format!("inequivalent arg '{name}' for {queue}: {difference}");
            return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
        }
        Ok(())
    }
}

/// Parses a message's `expiration` property: its time to live, in milliseconds as text.
pub(crate) fn expiration(text: &str) -> Result<Duration, Refusal> {
    let why = match text.parse::<i64>() {
        Ok(ms @ 0..=MAX_TIMER) => return Ok(Duration::from_millis(ms.unsigned_abs())),
        Ok(ms) if ms < 0 => format!("{{value_negative,{ms}}}"),
        Ok(ms) => format!("{{value_too_large,{ms}}}"),
        Err(_) => "no_integer".to_owned(),
    };
    Err(Refusal::new(
        ReplyCode::PreconditionFailed,
        format!("invalid expiration '{text}': {why}"),
    ))
}

/// Reads the arguments of one queue, and names the queue in refusals.
struct Reader<'a> {
    table: &'a FieldTable,
    queue: &'a str,
}

impl Reader<'_> {
    fn get(&self, name: &str) -> Option<&AMQPValue> {
        self.table.inner().get(name)
    }

    fn kind(&self) -> Result<Kind, Refusal> {
        match self.get("x-queue-type").map(shown).as_deref() {
            None | Some("classic") => Ok(Kind::Classic),
            Some("quorum") => Ok(Kind::Quorum),
            Some("stream") => Err(Refusal::new(
                ReplyCode::NotImplemented,
                format!("queue type 'stream' for {}", self.queue),
            )),
            Some(kind) => Err(self.invalid(
                "x-queue-type",
                format!("\"unsupported queue type '{kind}'\""),
            )),
        }
    }

    fn refuse_what_is_of_others(&self, kind: Kind) -> Result<(), Refusal> {
        let not_for_it = match kind {
            Kind::Classic => &NOT_CLASSIC[..],
            Kind::Quorum => &NOT_QUORUM[..],
        };
        match not_for_it.iter().find(|name| self.get(name).is_some()) {
            None => Ok(()),
            Some(argument) => Err(kind.refused(argument, self.queue)),
        }
    }

    /// Dead-lettering here is always at-least-once: a message moves from its queue to the next in one step.
    fn check_strategy(&self) -> Result<(), Refusal> {
        match self.string("x-dead-letter-strategy")?.as_deref() {
            Some(strategy) if !matches!(strategy, "at-most-once" | "at-least-once") => Err(self
                .invalid(
                    "x-dead-letter-strategy",
                    format!("invalid_dlx_strategy '{strategy}'"),
                )),
            _ => Ok(()),
        }
    }

    fn refuse_what_is_lacking(&self) -> Result<(), Refusal> {
        let lacking = |what: &str| {
            Err(Refusal::new(
                ReplyCode::NotImplemented,
                format!("{what} for {}", self.queue),
            ))
        };
        if self.get("x-max-priority").is_some() {
            return lacking("arg 'x-max-priority'");
        }
        if self
            .get("x-single-active-consumer")
            .is_some_and(|value| value.as_bool() != Some(false))
        {
            return lacking("arg 'x-single-active-consumer'");
        }
        Ok(())
    }

    fn integer(&self, name: &str, least: i64, most: i64) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match as_integer(value) {
            None => Err(self.invalid(
                name,
                format!("\"expected integer, got {}\"", type_name(value)),
            )),
            Some(n) if n < 0 => Err(self.invalid(name, format!("{{value_negative,{n}}}"))),
            Some(n) if n < least => Err(self.invalid(name, format!("{{value_zero,{n}}}"))),
            Some(n) if n > most => Err(self.invalid(name, format!("{{value_too_large,{n}}}"))),
            Some(n) => Ok(Some(n.unsigned_abs())),
        }
    }

    fn string(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(value @ AMQPValue::LongString(_)) => Ok(Some(shown(value))),
            Some(value) => {
                let text = format!(
                    "invalid type '{}' for arg '{name}' in {}",
                    type_name(value),
                    self.queue
                );
                Err(Refusal::new(ReplyCode::PreconditionFailed, text))
            }
        }
    }

    fn dead_letter(&self) -> Result<Option<DeadLetterTo>, Refusal> {
        let routing_key = self.string("x-dead-letter-routing-key")?;
        match (self.string("x-dead-letter-exchange")?, routing_key) {
            (Some(exchange), routing_key) => Ok(Some(DeadLetterTo {
                exchange,
                routing_key,
            })),
            (None, None) => Ok(None),
            (None, Some(_)) => Err(self.invalid(
                "x-dead-letter-routing-key",
                "routing_key_but_no_dlx_defined".to_owned(),
            )),
        }
    }

    fn overflow(&self) -> Result<Overflow, Refusal> {
        match self.string("x-overflow")?.as_deref() {
            None | Some("drop-head") => Ok(Overflow::DropHead),
            Some("reject-publish") => Ok(Overflow::RejectPublish),
            Some("reject-publish-dlx") => Ok(Overflow::RejectPublishDeadLetter),
            Some(_) => Err(self.invalid("x-overflow", "invalid_overflow".to_owned())),
        }
    }

    fn invalid(&self, name: &str, why: String) -> Refusal {
        let text = format!("invalid arg '{name}' for {}: {why}", self.queue);
        Refusal::new(ReplyCode::PreconditionFailed, text)
    }
}

/// Whether this value has the same effect as no value.
fn is_default(name: &str, value: &AMQPValue) -> bool {
    name == "x-queue-type" && shown(value) == "classic"
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "queue 'q' in vhost '/'";

    fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in entries {
            table.insert((*name).into(), value.clone());
        }
        table
    }

    fn text(entries: &[(&str, AMQPValue)]) -> String {
        Arguments::parse(table(entries), QUEUE)
            .expect_err("these arguments are bad")
            .reply_text()
    }

    #[test]
    fn bad_values_get_the_words_of_rabbitmq() {
        assert_eq!(
            text(&[("x-message-ttl", AMQPValue::LongInt(-1))]),
            "PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': {value_negative,-1}"
        );
        assert_eq!(
            text(&[("x-message-ttl", AMQPValue::LongString("a".into()))]),
            "PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': \"expected integer, got longstr\""
        );
        assert_eq!(
            text(&[("x-dead-letter-exchange", AMQPValue::LongInt(5))]),
            "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'"
        );
        assert!(text(&[("x-expires", AMQPValue::LongInt(0))]).ends_with("{value_zero,0}"));
        assert!(
            text(&[("x-queue-type", AMQPValue::LongString("stream".into()))])
                .starts_with("NOT_IMPLEMENTED")
        );
    }

    #[test]
    fn integers_are_compared_by_value_and_classic_is_the_default_type() {
        let classic = ("x-queue-type", AMQPValue::LongString("classic".into()));
        let declared = table(&[("x-max-length", AMQPValue::LongInt(5)), classic]);
        let arguments = Arguments::parse(declared, QUEUE).expect("these arguments are good");
        let same = table(&[
            ("x-max-length", AMQPValue::LongLongInt(5)),
            ("x-unknown", AMQPValue::LongInt(1)),
        ]);
        assert_eq!(arguments.check_equivalent(&same, QUEUE), Ok(()));
        let other = table(&[("x-max-length", AMQPValue::LongInt(6))]);
        let refusal = arguments
            .check_equivalent(&other, QUEUE)
            .expect_err("6 is not 5");
        assert_eq!(
            refusal.text,
            "inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received '6' but current is '5'"
        );
        let refusal = arguments
            .check_equivalent(&FieldTable::default(), QUEUE)
            .expect_err("none is not 5");
        assert_eq!(
            refusal.text,
            "inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received none but current is the value '5' of type 'signedint'"
        );
    }

    #[test]
    fn an_expiration_is_milliseconds_as_text() {
        assert_eq!(expiration("1500"), Ok(Duration::from_millis(1500)));
        for (bad, why) in [
            ("", "no_integer"),
            ("1s", "no_integer"),
            ("-1", "{value_negative,-1}"),
        ] {
            let refusal = expiration(bad).expect_err("it is bad");
            assert_eq!(refusal.text, format!("invalid expiration '{bad}': {why}"));
        }
        assert!(expiration("315360000000").is_ok());
        assert!(expiration("315360000001").is_err());
    }
}
