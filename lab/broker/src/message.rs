//! A message in memory: immutable, shared by the queues that it was routed to.

use std::time::Duration;

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::ShortString;
use bytes::Bytes;

use crate::memory::{Memory, Reservation};
use crate::wire;

/// The bytes that a message counts in addition to its octets, so that a flood of empty messages reaches the
/// limit too.
const OVERHEAD: usize = 128;
/// The same for each further routing key.
const COPY: usize = 48;

/// A published message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    /// Its further routing keys, of `CC` and `BCC`.
    pub(crate) copies: Vec<String>,
    /// The payload of its content header frame, as the publisher sent it.
    pub(crate) header: Bytes,
    pub(crate) body: Bytes,
    /// Its own time to live.
    pub(crate) expiration: Option<Duration>,
    /// Whether it is stored in durable queues.
    pub(crate) is_persistent: bool,
    /// Counts its bytes until the last reference is dropped.
    _held: Reservation,
}

/// The parts of a message.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    pub(crate) copies: Vec<String>,
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
            copies,
            header,
            body,
            expiration,
            is_persistent,
        } = parts;
        let names = exchange.as_str().len() + routing_key.as_str().len();
        let copied: usize = copies.iter().map(|key| key.len() + COPY).sum();
        let held = memory.hold(names + copied + header.len() + body.len() + OVERHEAD);
        Self {
            exchange,
            routing_key,
            copies,
            header,
            body,
            expiration,
            is_persistent,
            _held: held,
        }
    }

    /// Its properties, decoded again: only dead-lettering needs them.
    pub(crate) fn properties(&self) -> BasicProperties {
        wire::properties_of(&self.header)
    }
}
