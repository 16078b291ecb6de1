//! The messages of one queue that wait for a consumer, in order.
//!
//! All are in memory; those that outlive the process are noted in the journal as well, for as long as
//! their entry lasts. It must not know consumers, limits or dead-lettering.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use crate::journal::Kept;
use crate::memory::{Memory, Reservation};
use crate::message::Message;

/// A message in a queue.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its place in the queue, for good: when it is given back it comes to lie where it was.
    pub(crate) position: u64,
    pub(crate) message: Arc<Message>,
    /// When its time to live is over.
    pub(crate) expires_at: Option<Instant>,
    /// Whether it was delivered before.
    pub(crate) redelivered: bool,
    /// How often it came back since the broker was started.
    pub(crate) returned: u32,
    /// Keeps it beyond the process, if it is to be.
    _kept: Option<Kept>,
    /// Counts the place itself: one message may have a place in many queues.
    _held: Reservation,
}

/// What a place in a queue costs.
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

    /// Puts a message that was taken back to its place.
    pub(crate) fn put_back(&mut self, entry: Entry) {
        self.put(Entry {
            redelivered: true,
            returned: entry.returned.saturating_add(1),
            ..entry
        });
    }

    /// Adds a message that an earlier process has kept. Whether it was delivered is not known.
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

    /// The message whose turn it is.
    pub(crate) fn head(&self) -> Option<&Entry> {
        self.entries.first_key_value().map(|(_, entry)| entry)
    }

    /// Takes the message whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let (_, entry) = self.entries.pop_first()?;
        self.body_bytes -= entry.message.body.len();
        Some(entry)
    }

    /// Throws all messages away; how many there were.
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

    /// The sum of the sizes of their bodies, which `x-max-length-bytes` limits.
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
