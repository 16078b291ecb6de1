//! A queue: its messages, its limits, and its consumers, which take turns.
//!
//! It must not know channels or exchanges: the caller says which consumers may receive messages.

use std::collections::VecDeque;
use std::sync::Arc;

use amq_protocol::types::ShortString;
use tokio::time::Instant;

use crate::arguments::{Arguments, Kind, Overflow};
use crate::channel::{ChannelKey, ConnectionId};
use crate::field_value::weight;
use crate::memory::Reservation;
use crate::message::Message;
use crate::ready::Ready;
use crate::reply_code::{Refusal, ReplyCode};

/// A queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) name: Arc<str>,
    /// The id that distinguishes it from an earlier queue of the same name, whose messages may still be
    /// unacknowledged.
    pub(crate) id: u64,
    pub(crate) settings: Settings,
    pub(crate) arguments: Arguments,
    pub(crate) ready: Ready,
    /// The consumers, in the order of the next deliveries.
    pub(crate) consumers: VecDeque<Consumer>,
    /// The instant since which it has not been used, while it has no consumer.
    pub(crate) unused_since: Instant,
    /// The time at which the broker's timer checks it, as the timer is set now.
    pub(crate) deadline: Option<Instant>,
    /// Counts the bytes of the queue without its messages.
    pub(crate) _held: Reservation,
}

/// The properties of a declared queue, apart from its arguments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    /// The connection that owns an exclusive queue.
    pub(crate) owner: Option<ConnectionId>,
}

/// A consumer of the queue.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) at: ChannelKey,
    pub(crate) tag: ShortString,
    pub(crate) no_ack: bool,
    pub(crate) exclusive: bool,
    /// The highest number of its unacknowledged messages; zero: no limit.
    pub(crate) prefetch: u16,
    pub(crate) unacked: u32,
    /// Counts its bytes.
    pub(crate) _held: Reservation,
}

// === impl Settings ===

impl Settings {
    /// Whether the queue is stored. An exclusive queue is deleted with its connection, so it is not stored.
    pub(crate) fn is_kept(self) -> bool {
        self.durable && self.owner.is_none()
    }
}

// === impl Queue ===

impl Queue {
    /// The description of a queue in texts.
    pub(crate) fn described(name: &str) -> String {
        format!("queue '{name}' in vhost '/'")
    }

    /// The bytes that a queue counts, without its messages and consumers.
    pub(crate) fn weight(name: &str, arguments: &Arguments) -> usize {
        1024 + name.len() + weight(arguments.declared())
    }

    /// Refuses all connections except the owner of an exclusive queue.
    pub(crate) fn check_access(&self, connection: ConnectionId) -> Result<(), Refusal> {
        match self.settings.owner {
            Some(owner) if owner != connection => Err(self.locked()),
            _ => Ok(()),
        }
    }

    /// The refusal of access to an exclusive queue.
    pub(crate) fn locked(&self) -> Refusal {
        let text = format!(
            "cannot obtain exclusive access to locked {}. It could be originally declared on another \
             connection or the exclusive property value does not match that of the original declaration.",
            Self::described(&self.name)
        );
        Refusal::new(ReplyCode::ResourceLocked, text)
    }

    /// Whether a message in it is stored.
    pub(crate) fn keeps(&self, message: &Message) -> bool {
        let is_lasting = message.is_persistent || self.arguments.kind == Kind::Quorum;
        is_lasting && self.settings.is_kept()
    }

    /// The expiry of a message that arrives now.
    pub(crate) fn expiry_of(&self, message: &Message, now: Instant) -> Option<Instant> {
        let ttl = match (self.arguments.message_ttl, message.expiration) {
            (Some(queue), Some(own)) => Some(queue.min(own)),
            (queue, own) => queue.or(own),
        };
        ttl.map(|ttl| now + ttl)
    }

    /// Whether the queue is full and refuses a new message.
    pub(crate) fn rejects(&self, message: &Message) -> bool {
        self.arguments.overflow != Overflow::DropHead
            && self.exceeds(
                self.ready.len() + 1,
                self.ready.body_bytes() + message.body.len(),
            )
    }

    /// Whether the queue is full and must drop its oldest message.
    pub(crate) fn overflows(&self) -> bool {
        self.arguments.overflow == Overflow::DropHead
            && self.exceeds(self.ready.len(), self.ready.body_bytes())
    }

    /// The next time at which the queue changes without a request: its first message expires, or the queue
    /// expires because it is unused.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let message = self.ready.head().and_then(|head| head.expires_at);
        [message, self.dies_at()].into_iter().flatten().min()
    }

    /// The expiry of the queue, if it is not used before.
    pub(crate) fn dies_at(&self) -> Option<Instant> {
        let expires = self
            .arguments
            .expires
            .filter(|_| self.consumers.is_empty())?;
        Some(self.unused_since + expires)
    }

    /// The consumer with this tag on this channel.
    pub(crate) fn consumer_mut(
        &mut self,
        at: ChannelKey,
        tag: &ShortString,
    ) -> Option<&mut Consumer> {
        self.consumers
            .iter_mut()
            .find(|consumer| consumer.at == at && consumer.tag == *tag)
    }

    /// Moves the next consumer that `can_take` accepts to the front, and the consumers before it to the end.
    /// Returns whether there is one.
    pub(crate) fn next_consumer(&mut self, can_take: impl Fn(&Consumer) -> bool) -> bool {
        match self.consumers.iter().position(can_take) {
            Some(at) => {
                self.consumers.rotate_left(at);
                true
            }
            None => false,
        }
    }

    fn exceeds(&self, length: usize, body_bytes: usize) -> bool {
        self.arguments.max_length.is_some_and(|max| length > max)
            || self
                .arguments
                .max_length_bytes
                .is_some_and(|max| body_bytes > max)
    }
}

// === impl Consumer ===

impl Consumer {
    /// Whether its prefetch leaves room for one more unacknowledged message.
    pub(crate) fn has_window(&self) -> bool {
        self.prefetch == 0 || self.unacked < u32::from(self.prefetch)
    }
}
