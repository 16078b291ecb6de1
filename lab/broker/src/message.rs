//! A message as it is held: immutable, shared by the queues that it went to.

use std::time::Duration;

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::ShortString;
use bytes::Bytes;

use crate::memory::{Memory, Reservation};
use crate::wire;

/// What a message costs besides its octets. It keeps a flood of empty messages from being free.
const OVERHEAD: usize = 128;

/// A published message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    /// The payload of its content header frame, as its publisher wrote it.
    pub(crate) header: Bytes,
    pub(crate) body: Bytes,
    /// Its own time to live.
    pub(crate) expiration: Option<Duration>,
    /// Whether it is kept where its queue is durable.
    pub(crate) is_persistent: bool,
    /// Counts it for as long as anything refers to it.
    _held: Reservation,
}

/// What a message is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    pub(crate) header: Bytes,
    pub(crate) body: Bytes,
    pub(crate) expiration: Option<Duration>,
    pub(crate) is_persistent: bool,
}

impl Message {
    pub(crate) fn new(parts: Parts, memory: &Memory) -> Self {
        let Parts {
            exchange,
            routing_key,
            header,
            body,
            expiration,
            is_persistent,
        } = parts;
        let names = exchange.as_str().len() + routing_key.as_str().len();
        let held = memory.hold(names + header.len() + body.len() + OVERHEAD);
        Self {
            exchange,
            routing_key,
            header,
            body,
            expiration,
            is_persistent,
            _held: held,
        }
    }

    /// Its properties, decoded anew: only dead-lettering needs them.
    pub(crate) fn properties(&self) -> BasicProperties {
        wire::properties_of(&self.header)
    }
}
