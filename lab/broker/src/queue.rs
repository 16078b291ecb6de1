//! A queue: its messages, its limits, and the consumers that take turns.
//!
//! It must not know channels or exchanges: who may be served is asked of the caller.

use std::collections::VecDeque;
use std::sync::Arc;

use amq_protocol::types::ShortString;
use tokio::time::Instant;

use crate::arguments::{Arguments, Kind, Overflow};
use crate::channel::{ChannelKey, ConnectionId};
use crate::message::Message;
use crate::ready::Ready;
use crate::reply_code::{Refusal, ReplyCode};

/// A queue.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) name: Arc<str>,
    /// Tells it from an earlier queue of the same name, whose messages may still be unacknowledged.
    pub(crate) id: u64,
    pub(crate) settings: Settings,
    pub(crate) arguments: Arguments,
    pub(crate) ready: Ready,
    /// In the order in which they are served next.
    pub(crate) consumers: VecDeque<Consumer>,
    /// Since when it has not been used, while it has no consumer.
    pub(crate) unused_since: Instant,
    /// The time at which the broker's timer looks at it, as it is set now.
    pub(crate) deadline: Option<Instant>,
}

/// What a queue was declared as, besides its arguments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    /// The connection that an exclusive queue belongs to.
    pub(crate) owner: Option<ConnectionId>,
}

/// Someone to whom the messages of a queue are delivered.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) at: ChannelKey,
    pub(crate) tag: ShortString,
    pub(crate) no_ack: bool,
    pub(crate) exclusive: bool,
    /// Most messages that it may have unacknowledged; zero: any number.
    pub(crate) prefetch: u16,
    pub(crate) unacked: u32,
}

// === impl Settings ===

impl Settings {
    /// Whether the queue outlives the process. An exclusive one dies with its connection, and so with
    /// the process.
    pub(crate) fn is_kept(self) -> bool {
        self.durable && self.owner.is_none()
    }
}

// === impl Queue ===

impl Queue {
    /// How texts speak of a queue.
    pub(crate) fn described(name: &str) -> String {
        format!("queue '{name}' in vhost '/'")
    }

    /// Refuses everyone but the owner of an exclusive queue.
    pub(crate) fn check_access(&self, connection: ConnectionId) -> Result<(), Refusal> {
        match self.settings.owner {
            Some(owner) if owner != connection => Err(self.locked()),
            _ => Ok(()),
        }
    }

    /// The refusal that speaks of exclusive access.
    pub(crate) fn locked(&self) -> Refusal {
        let text = format!(
            "cannot obtain exclusive access to locked {}. It could be originally declared on another \
             connection or the exclusive property value does not match that of the original declaration.",
            Self::described(&self.name)
        );
        Refusal::new(ReplyCode::ResourceLocked, text)
    }

    /// Whether a message in it outlives the process.
    pub(crate) fn keeps(&self, message: &Message) -> bool {
        let is_lasting = message.is_persistent || self.arguments.kind == Kind::Quorum;
        is_lasting && self.settings.is_kept()
    }

    /// When a message that comes in now dies.
    pub(crate) fn expiry_of(&self, message: &Message, now: Instant) -> Option<Instant> {
        let ttl = match (self.arguments.message_ttl, message.expiration) {
            (Some(queue), Some(own)) => Some(queue.min(own)),
            (queue, own) => queue.or(own),
        };
        ttl.map(|ttl| now + ttl)
    }

    /// Whether the queue refuses a new message because it is full.
    pub(crate) fn rejects(&self, message: &Message) -> bool {
        self.arguments.overflow != Overflow::DropHead
            && self.exceeds(
                self.ready.len() + 1,
                self.ready.body_bytes() + message.body.len(),
            )
    }

    /// Whether the oldest message must give way.
    pub(crate) fn overflows(&self) -> bool {
        self.arguments.overflow == Overflow::DropHead
            && self.exceeds(self.ready.len(), self.ready.body_bytes())
    }

    /// The next time at which something happens to it of itself: its first message dies, or it
    /// dies because nobody uses it.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let message = self.ready.head().and_then(|head| head.expires_at);
        [message, self.dies_at()].into_iter().flatten().min()
    }

    /// When it expires, unless it is used before.
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

    /// Brings the next consumer that `can_take` accepts to the front, and whoever was before it to
    /// the end; whether there is one.
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
