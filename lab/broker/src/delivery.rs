//! Moves messages from a queue to its consumers, and back if they are not acknowledged.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use amq_protocol::protocol::{AMQPClass, basic};
use amq_protocol::types::AMQPValue;
use bytes::Bytes;
use tokio::time::Instant;

use crate::arguments::Kind;
use crate::channel::{ChannelKey, ConnectionId, Unacked};
use crate::dead_letter::{DeadLetter, Reason};
use crate::queue::{Consumer, Queue};
use crate::ready::Entry;
use crate::reply_code::Refusal;
use crate::state::{Connection, State};
use crate::wire;

/// The decision of a client about delivered messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    /// Put the message back into its queue.
    Requeue,
    /// Do not deliver it again: it is dead-lettered, or dropped.
    Reject,
}

impl State {
    /// Delivers the messages of a queue to its consumers, as far as they accept them; then drops messages
    /// above the limits and expired messages.
    ///
    /// In this order a message with a time to live of zero still reaches a waiting consumer, and a queue of
    /// length zero passes messages on.
    pub(crate) fn serve(&mut self, name: &str, now: Instant) {
        let Some(queue) = self.queues.get_mut(name) else {
            return;
        };
        loop {
            queue.drop_dead(&mut self.dead_letters, |expires_at| expires_at < now);
            if queue.ready.is_empty()
                || !queue.next_consumer(|consumer| can_take(&self.connections, consumer))
            {
                break;
            }
            deliver(queue, &mut self.connections);
        }
        while queue.overflows()
            && let Some(oldest) = queue.ready.pop()
        {
            queue.bury(oldest, Reason::MaxLength, &mut self.dead_letters);
        }
        queue.drop_dead(&mut self.dead_letters, |expires_at| expires_at <= now);
    }

    /// Answers `basic.get`.
    pub(crate) fn get(
        &mut self,
        at: ChannelKey,
        name: &str,
        no_ack: bool,
        now: Instant,
    ) -> Result<(), Refusal> {
        self.queue_mut(name, at.connection)?;
        let Some(queue) = self.queues.get_mut(name) else {
            return Ok(());
        };
        queue.unused_since = now;
        queue.drop_dead(&mut self.dead_letters, |expires_at| expires_at <= now);
        self.unsettled.insert(Arc::clone(&queue.name));
        let Some(connection) = self.connections.get_mut(&at.connection) else {
            return Ok(());
        };
        let Some(channel) = connection.channels.get_mut(&at.number) else {
            return Ok(());
        };
        let Some(entry) = queue.ready.pop() else {
            connection.outbox.send(
                at.number,
                AMQPClass::Basic(basic::AMQPMethod::GetEmpty(basic::GetEmpty {})),
            );
            return Ok(());
        };
        let got = basic::GetOk {
            delivery_tag: channel.next_delivery_tag(),
            redelivered: entry.redelivered,
            exchange: entry.message.exchange.clone(),
            routing_key: entry.message.routing_key.clone(),
            message_count: count(queue.ready.len()),
        };
        let tag = got.delivery_tag;
        let method = AMQPClass::Basic(basic::AMQPMethod::GetOk(got));
        connection.outbox.send_message(
            at.number,
            method,
            &header_of(&entry, queue.arguments.kind, Way::Get),
            &entry.message.body,
        );
        if !no_ack {
            let unacked = Unacked {
                queue: Arc::clone(&queue.name),
                queue_id: queue.id,
                consumer: None,
                entry,
            };
            channel.unacked.insert(tag, unacked);
        }
        Ok(())
    }

    /// Applies the decision of a client about a message, or about all messages up to it.
    pub(crate) fn acknowledge(
        &mut self,
        at: ChannelKey,
        tag: u64,
        multiple: bool,
        verdict: Verdict,
    ) -> Result<(), Refusal> {
        for unacked in self.channel_mut(at).take_unacked(tag, multiple)? {
            self.release(at, &unacked);
            match verdict {
                Verdict::Done => {}
                Verdict::Requeue => self.requeue(unacked),
                Verdict::Reject => self.reject(unacked),
            }
        }
        // A shared prefetch may have held back any consumer of the channel.
        if self.channel_mut(at).shared_prefetch > 0 {
            let queues: Vec<_> = self.channel_mut(at).consumers.values().cloned().collect();
            self.unsettled.extend(queues);
        }
        Ok(())
    }

    /// Requeues all unacknowledged messages of a channel.
    pub(crate) fn recover(&mut self, at: ChannelKey) {
        for unacked in std::mem::take(&mut self.channel_mut(at).unacked).into_values() {
            self.release(at, &unacked);
            self.requeue(unacked);
        }
    }

    /// Puts a message back to its place in its queue, if the queue still exists.
    pub(crate) fn requeue(&mut self, unacked: Unacked) {
        if let Some(queue) = self
            .queues
            .get_mut(&unacked.queue)
            .filter(|queue| queue.id == unacked.queue_id)
        {
            let limit = queue.arguments.delivery_limit;
            if limit.is_some_and(|limit| unacked.entry.returned >= limit) {
                queue.bury(unacked.entry, Reason::DeliveryLimit, &mut self.dead_letters);
            } else {
                queue.ready.put_back(unacked.entry);
            }
            self.unsettled.insert(unacked.queue);
        }
    }

    fn reject(&mut self, unacked: Unacked) {
        if let Some(queue) = self
            .queues
            .get_mut(&unacked.queue)
            .filter(|queue| queue.id == unacked.queue_id)
        {
            queue.bury(unacked.entry, Reason::Rejected, &mut self.dead_letters);
        }
    }

    /// Makes room in the prefetch windows that counted a message.
    fn release(&mut self, at: ChannelKey, unacked: &Unacked) {
        let Some(tag) = &unacked.consumer else {
            return;
        };
        let channel = self.channel_mut(at);
        channel.consumed = channel.consumed.saturating_sub(1);
        let queue = self.queues.get_mut(&unacked.queue);
        if let Some(consumer) = queue.and_then(|queue| queue.consumer_mut(at, tag)) {
            consumer.unacked = consumer.unacked.saturating_sub(1);
            self.unsettled.insert(Arc::clone(&unacked.queue));
        }
    }
}

impl Queue {
    /// Drops the expired messages at the head of the queue.
    fn drop_dead(
        &mut self,
        dead_letters: &mut VecDeque<DeadLetter>,
        is_over: impl Fn(Instant) -> bool,
    ) {
        while self
            .ready
            .head()
            .and_then(|head| head.expires_at)
            .is_some_and(&is_over)
            && let Some(dead) = self.ready.pop()
        {
            self.bury(dead, Reason::Expired, dead_letters);
        }
    }

    /// Sends a dead message to the queue's dead-letter exchange; drops it if there is none.
    fn bury(&self, entry: Entry, reason: Reason, dead_letters: &mut VecDeque<DeadLetter>) {
        if let Some(to) = self.arguments.dead_letter.clone() {
            dead_letters.push_back(DeadLetter {
                message: entry.message,
                queue: Arc::clone(&self.name),
                reason,
                to,
            });
        }
    }
}

/// How a message leaves its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Get,
    Consume,
}

/// The header of a message for a client: a quorum queue adds the number of returns, in place of any that the
/// publisher has given. As in RabbitMQ, `basic.get` says zero too, and a delivery to a consumer does not.
fn header_of(entry: &Entry, kind: Kind, way: Way) -> Bytes {
    if kind == Kind::Classic || (entry.returned == 0 && way == Way::Consume) {
        return entry.message.header.clone();
    }
    let properties = entry.message.properties();
    let mut headers = properties.headers().clone().unwrap_or_default();
    headers.insert(
        "x-delivery-count".into(),
        AMQPValue::LongLongInt(entry.returned.into()),
    );
    wire::header_payload(entry.message.body.len(), &properties.with_headers(headers))
}

/// Converts a count to its type on the wire.
pub(crate) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Whether a consumer may receive a message: its prefetch and that of its channel have room, and its client
/// reads fast enough.
fn can_take(connections: &HashMap<ConnectionId, Connection>, consumer: &Consumer) -> bool {
    let Some(connection) = connections.get(&consumer.at.connection) else {
        return false;
    };
    let Some(channel) = connection.channels.get(&consumer.at.number) else {
        return false;
    };
    let has_window = consumer.no_ack || (consumer.has_window() && channel.has_window());
    has_window && connection.outbox.has_room()
}

/// Delivers the first message of a queue to its first consumer, which then moves to the end.
fn deliver(queue: &mut Queue, connections: &mut HashMap<ConnectionId, Connection>) {
    let Some(consumer) = queue.consumers.front_mut() else {
        return;
    };
    let Some(connection) = connections.get_mut(&consumer.at.connection) else {
        return;
    };
    let Some(channel) = connection.channels.get_mut(&consumer.at.number) else {
        return;
    };
    let Some(entry) = queue.ready.pop() else {
        return;
    };
    let delivery_tag = channel.next_delivery_tag();
    let delivered = basic::Deliver {
        consumer_tag: consumer.tag.clone(),
        delivery_tag,
        redelivered: entry.redelivered,
        exchange: entry.message.exchange.clone(),
        routing_key: entry.message.routing_key.clone(),
    };
    let method = AMQPClass::Basic(basic::AMQPMethod::Deliver(delivered));
    connection.outbox.send_message(
        consumer.at.number,
        method,
        &header_of(&entry, queue.arguments.kind, Way::Consume),
        &entry.message.body,
    );
    if !consumer.no_ack {
        consumer.unacked += 1;
        channel.consumed += 1;
        let queue_name = Arc::clone(&queue.name);
        let consumer = Some(consumer.tag.clone());
        let unacked = Unacked {
            queue: queue_name,
            queue_id: queue.id,
            consumer,
            entry,
        };
        channel.unacked.insert(delivery_tag, unacked);
    }
    queue.consumers.rotate_left(1);
}
