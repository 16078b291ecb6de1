//! Dead-lettering: the `x-death` header of a message that dies, and its destination.
//!
//! The header has the form of RabbitMQ 3.x (`rabbit_dead_letter`): one table for each queue and reason, the
//! latest first, with a count. A message that returns to a queue without a rejection on the way would
//! circulate forever, so it is dropped.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::{AMQPValue, FieldArray, FieldTable, ShortString};
use tokio::time::Instant;

use crate::arguments::DeadLetterTo;
use crate::copies;
use crate::field_value::as_integer;
use crate::message::{Message, Parts};
use crate::routing::Envelope;
use crate::state::State;
use crate::wire;

/// The reason why a message died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Rejected,
    Expired,
    MaxLength,
    DeliveryLimit,
}

/// A message that died, on its way to a dead-letter exchange.
#[derive(Debug)]
pub(crate) struct DeadLetter {
    pub(crate) message: Arc<Message>,
    /// The queue in which the message died.
    pub(crate) queue: Arc<str>,
    pub(crate) reason: Reason,
    pub(crate) to: DeadLetterTo,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::MaxLength => "maxlen",
            Self::DeliveryLimit => "delivery_limit",
        }
    }
}

impl State {
    /// Publishes a dead message to the dead-letter exchange of its queue. Like RabbitMQ it is silent if this
    /// exchange does not exist or leads nowhere.
    pub(crate) fn publish_dead_letter(&mut self, dead: DeadLetter, now: Instant) {
        let routing_key = match &dead.to.routing_key {
            // This key is longer than any key on the wire: no binding can match it.
            Some(key) => match ShortString::try_new(key.as_str()) {
                Ok(key) => key,
                Err(_) => return,
            },
            None => dead.message.routing_key.clone(),
        };
        let Ok(exchange) = ShortString::try_new(dead.to.exchange.as_str()) else {
            return;
        };
        // With a key of its queue a message has only this key; otherwise it keeps all of its own.
        let has_own_keys = dead.to.routing_key.is_none();
        let copies = if has_own_keys {
            dead.message.copies.clone()
        } else {
            Vec::new()
        };
        let old = dead.message.properties();
        let headers = with_death(
            old.headers().clone().unwrap_or_default(),
            &dead,
            old.expiration().as_ref(),
        );
        let headers = if has_own_keys {
            headers
        } else {
            copies::without_cc(&headers)
        };
        let properties = without_expiration(old).with_headers(headers.clone());
        let header = wire::header_payload(dead.message.body.len(), &properties);
        let envelope = Envelope::new(routing_key.as_str(), &copies, &header);
        let Some(mut queues) = self.route(exchange.as_str(), &envelope) else {
            return;
        };
        if dead.reason != Reason::Rejected {
            queues.retain(|queue| !is_cycle(&headers, queue));
        }
        if queues.is_empty() {
            return;
        }
        let parts = Parts {
            exchange,
            routing_key,
            copies,
            header,
            body: dead.message.body.clone(),
            expiration: None,
            is_persistent: dead.message.is_persistent,
        };
        let message = Message::new(parts, &self.memory);
        self.enqueue(&queues, Arc::new(message), now);
    }
}

/// Returns the headers with this death added.
fn with_death(
    headers: FieldTable,
    dead: &DeadLetter,
    expiration: Option<&ShortString>,
) -> FieldTable {
    let mut headers = headers;
    let queue = long_string(&dead.queue);
    let reason = long_string(dead.reason.name());
    let exchange = long_string(dead.message.exchange.as_str());
    let earlier = match headers.inner().get("x-death") {
        Some(AMQPValue::FieldArray(deaths)) => deaths.as_slice().to_vec(),
        _ => Vec::new(),
    };
    if !headers.contains_key("x-death") {
        headers.insert("x-first-death-reason".into(), reason.clone());
        headers.insert("x-first-death-queue".into(), queue.clone());
        headers.insert("x-first-death-exchange".into(), exchange.clone());
    }
    let is_same = |death: &AMQPValue| {
        field(death, "queue") == Some(&queue) && field(death, "reason") == Some(&reason)
    };
    let (same, others): (Vec<_>, Vec<_>) = earlier.into_iter().partition(is_same);
    let latest = match same.into_iter().next() {
        Some(AMQPValue::FieldTable(death)) => counted_once_more(death),
        _ => {
            let mut death = FieldTable::default();
            death.insert("count".into(), AMQPValue::LongLongInt(1));
            death.insert("reason".into(), reason);
            death.insert("queue".into(), queue);
            death.insert("time".into(), AMQPValue::Timestamp(seconds_since_epoch()));
            death.insert("exchange".into(), exchange);
            let mut keys = vec![long_string(dead.message.routing_key.as_str())];
            // A `CC` that is no array was refused when the message was published.
            let copies = copies::keys(&headers).unwrap_or_default();
            keys.extend(copies.iter().map(|key| long_string(key)));
            death.insert(
                "routing-keys".into(),
                AMQPValue::FieldArray(FieldArray::from(keys)),
            );
            if let Some(expiration) = expiration {
                death.insert(
                    "original-expiration".into(),
                    long_string(expiration.as_str()),
                );
            }
            death
        }
    };
    let mut deaths = vec![AMQPValue::FieldTable(latest)];
    deaths.extend(others);
    headers.insert(
        "x-death".into(),
        AMQPValue::FieldArray(FieldArray::from(deaths)),
    );
    headers
}

fn counted_once_more(mut death: FieldTable) -> FieldTable {
    let count = death.inner().get("count").and_then(as_integer).unwrap_or(0);
    death.insert(
        "count".into(),
        AMQPValue::LongLongInt(count.saturating_add(1)),
    );
    death
}

/// Whether a message with these headers was in the queue before, and no client has rejected it since.
fn is_cycle(headers: &FieldTable, queue: &str) -> bool {
    let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get("x-death") else {
        return false;
    };
    let (queue, rejected) = (long_string(queue), long_string("rejected"));
    let deaths = deaths.as_slice();
    let Some(last_time) = deaths
        .iter()
        .position(|death| field(death, "queue") == Some(&queue))
    else {
        return false;
    };
    deaths[..=last_time]
        .iter()
        .all(|death| field(death, "reason") != Some(&rejected))
}

fn field<'a>(death: &'a AMQPValue, name: &str) -> Option<&'a AMQPValue> {
    death.as_field_table()?.inner().get(name)
}

fn long_string(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

fn seconds_since_epoch() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Returns the properties without `expiration`, so that the message does not expire again in its dead-letter
/// queue. The codec can set a property but not unset it.
fn without_expiration(old: BasicProperties) -> BasicProperties {
    let mut new = BasicProperties::default();
    macro_rules! keep {
        ($($get:ident / $with:ident),*) => {
            $(if let Some(value) = old.$get().clone() {
                new = new.$with(value);
            })*
        };
    }
    keep!(
        content_type / with_content_type,
        content_encoding / with_content_encoding,
        headers / with_headers,
        delivery_mode / with_delivery_mode,
        priority / with_priority,
        correlation_id / with_correlation_id,
        reply_to / with_reply_to,
        message_id / with_message_id,
        timestamp / with_timestamp,
        kind / with_type,
        user_id / with_user_id,
        app_id / with_app_id,
        cluster_id / with_cluster_id
    );
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(deaths: &[(&str, &str)]) -> FieldTable {
        let deaths: Vec<_> = deaths
            .iter()
            .map(|(queue, reason)| {
                let mut death = FieldTable::default();
                death.insert("queue".into(), long_string(queue));
                death.insert("reason".into(), long_string(reason));
                AMQPValue::FieldTable(death)
            })
            .collect();
        let mut headers = FieldTable::default();
        headers.insert(
            "x-death".into(),
            AMQPValue::FieldArray(FieldArray::from(deaths)),
        );
        headers
    }

    #[test]
    fn only_a_round_without_a_rejection_is_a_cycle() {
        assert!(!is_cycle(&FieldTable::default(), "q"));
        assert!(!is_cycle(&headers(&[("other", "expired")]), "q"));
        assert!(is_cycle(&headers(&[("q", "expired")]), "q"));
        assert!(is_cycle(
            &headers(&[("retry", "expired"), ("q", "maxlen"), ("x", "rejected")]),
            "q"
        ));
        assert!(!is_cycle(
            &headers(&[("retry", "expired"), ("q", "rejected")]),
            "q"
        ));
        assert!(!is_cycle(
            &headers(&[("retry", "rejected"), ("q", "expired")]),
            "q"
        ));
    }
}
