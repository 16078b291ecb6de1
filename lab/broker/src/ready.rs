//! The messages of one queue that wait for a consumer, in order.
//!
//! All are in memory; stored messages are also noted in the journal while their entry exists. This module
//! must not know consumers, limits or dead-lettering.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use crate::journal::Kept;
use crate::memory::{Memory, Reservation};
use crate::message::Message;

/// A message in a queue.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its position in the queue, which never changes: a requeued message returns to it.
    pub(crate) position: u64,
    pub(crate) message: Arc<Message>,
    /// The end of its time to live.
    pub(crate) expires_at: Option<Instant>,
    /// Whether it was delivered before.
    pub(crate) redelivered: bool,
    /// The number of its returns since the start of the broker.
    pub(crate) returned: u32,
    /// Its entry in the store, if it is stored.
    _kept: Option<Kept>,
    /// Counts the bytes of this place: one message may have a place in many queues.
    _held: Reservation,
}

/// The bytes that a place in a queue counts.
const PLACE: usize = 128;

/// The waiting messages of one queue.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    entries: BTreeMap<u64, Entry>,
    body_bytes: usize,
    next_position: u64,
}

impl Ready {
    /// Adds a message at the end.
    pub(crate) fn push(
        &mut self,
        message: Arc<Message>,
        expires_at: Option<Instant>,
        kept: Option<Kept>,
        memory: &Memory,
    ) {
        let entry = self.entry_at_the_end(message, expires_at, kept, memory);
        self.put(entry);
    }

    /// Puts a message that was taken back to its position.
    pub(crate) fn put_back(&mut self, entry: Entry) {
        self.put(Entry {
            redelivered: true,
            returned: entry.returned.saturating_add(1),
            ..entry
        });
    }

    /// Adds a message that an earlier process has stored. It is unknown whether it was delivered.
    pub(crate) fn restore(
        &mut self,
        message: Arc<Message>,
        expires_at: Option<Instant>,
        kept: Kept,
        memory: &Memory,
    ) {
        let entry = self.entry_at_the_end(message, expires_at, Some(kept), memory);
        self.put(Entry {
            redelivered: true,
            ..entry
        });
    }

    /// The first message.
    pub(crate) fn head(&self) -> Option<&Entry> {
        self.entries.first_key_value().map(|(_, entry)| entry)
    }

    /// Takes the first message.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let (_, entry) = self.entries.pop_first()?;
        self.body_bytes -= entry.message.body.len();
        Some(entry)
    }

    /// Drops all messages. Returns how many there were.
    pub(crate) fn clear(&mut self) -> usize {
        self.body_bytes = 0;
        std::mem::take(&mut self.entries).len()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The sum of the sizes of their bodies, in octets, which `x-max-length-bytes` limits.
    pub(crate) fn body_bytes(&self) -> usize {
        self.body_bytes
    }

    fn entry_at_the_end(
        &mut self,
        message: Arc<Message>,
        expires_at: Option<Instant>,
        kept: Option<Kept>,
        memory: &Memory,
    ) -> Entry {
        let position = self.next_position;
        self.next_position += 1;
        Entry {
            position,
            message,
            expires_at,
            redelivered: false,
            returned: 0,
            _kept: kept,
            _held: memory.hold(PLACE),
        }
    }

    fn put(&mut self, entry: Entry) {
        self.body_bytes += entry.message.body.len();
        self.entries.insert(entry.position, entry);
    }
}
