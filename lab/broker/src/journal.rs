//! The journal: the changes of durable data, in order, until the [store](crate::store) writes them.
//!
//! Each stored message has a [`Kept`], which notes its removal when it is dropped; so the journal is right in
//! whatever way a message leaves its queue. The journal must not know how changes are stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use amq_protocol::types::FieldTable;
use parking_lot::Mutex;

use crate::exchange::Settings;
use crate::message::Message;

/// The journal of a broker. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// The changes since the last batch; `None` if there is no store, or it is closed.
    pending: Mutex<Option<Vec<Change>>>,
    /// The number of the current batch.
    ticket: AtomicU64,
    last_id: AtomicU64,
}

/// Changes that are stored together, in one transaction. Batches are numbered from one.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) ticket: u64,
    pub(crate) changes: Vec<Change>,
}

/// One change of durable data.
#[derive(Debug)]
pub(crate) enum Change {
    DeclareExchange {
        name: String,
        settings: Settings,
    },
    DeleteExchange {
        name: String,
    },
    DeclareQueue {
        id: u64,
        name: Arc<str>,
        auto_delete: bool,
        arguments: FieldTable,
    },
    DeleteQueue {
        id: u64,
    },
    Bind {
        exchange: String,
        to: BoundTo,
        key: String,
        arguments: FieldTable,
    },
    Unbind {
        exchange: String,
        to: BoundTo,
        key: String,
        arguments: FieldTable,
    },
    Keep {
        id: u64,
        queue: u64,
        message: Arc<Message>,
        /// The end of its time to live, in milliseconds since the Unix epoch.
        expires_ms: Option<u64>,
    },
    Forget {
        id: u64,
    },
}

/// The destination of a stored binding.
#[derive(Debug)]
pub(crate) enum BoundTo {
    /// A queue, by its id.
    Queue(u64),
    /// An exchange, by its name.
    Exchange(String),
}

/// A stored message in a queue. It is removed from the store when this is dropped.
#[derive(Debug)]
pub(crate) struct Kept {
    journal: Journal,
    id: u64,
}

// === impl Journal ===

impl Journal {
    /// A journal with a store, whose last message had the number `last_id`.
    pub(crate) fn kept(last_id: u64) -> Self {
        Self::new(Some(Vec::new()), last_id)
    }

    /// A journal without a store.
    pub(crate) fn unkept() -> Self {
        Self::new(None, 0)
    }

    fn new(pending: Option<Vec<Change>>, last_id: u64) -> Self {
        Self {
            inner: Arc::new(Inner {
                pending: Mutex::new(pending),
                ticket: AtomicU64::new(1),
                last_id: AtomicU64::new(last_id),
            }),
        }
    }

    pub(crate) fn note(&self, change: Change) {
        if let Some(pending) = &mut *self.pending() {
            pending.push(change);
        }
    }

    /// Notes a message of a queue; `None` without a store.
    pub(crate) fn keep(
        &self,
        queue: u64,
        message: &Arc<Message>,
        expires_ms: Option<u64>,
    ) -> Option<Kept> {
        let mut pending = self.pending();
        let pending = pending.as_mut()?;
        let id = self.inner.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        pending.push(Change::Keep {
            id,
            queue,
            message: Arc::clone(message),
            expires_ms,
        });
        Some(self.kept_before(id))
    }

    /// A message that an earlier process has stored.
    pub(crate) fn kept_before(&self, id: u64) -> Kept {
        Kept {
            journal: self.clone(),
            id,
        }
    }

    /// The number of the current batch.
    pub(crate) fn ticket(&self) -> u64 {
        self.inner.ticket.load(Ordering::Relaxed)
    }

    /// Takes the changes since the last batch; `None` if there are none.
    pub(crate) fn take(&self) -> Option<Batch> {
        let mut pending = self.pending();
        let changes = pending.as_mut().filter(|pending| !pending.is_empty())?;
        let changes = std::mem::take(changes);
        let ticket = self.inner.ticket.fetch_add(1, Ordering::Relaxed);
        Some(Batch { ticket, changes })
    }

    /// Stops the journal: messages that are dropped from now on stay in the store.
    pub(crate) fn close(&self) {
        *self.pending() = None;
    }

    fn pending(&self) -> parking_lot::MutexGuard<'_, Option<Vec<Change>>> {
        self.inner.pending.lock()
    }
}

// === impl Kept ===

impl Drop for Kept {
    fn drop(&mut self) {
        self.journal.note(Change::Forget { id: self.id });
    }
}
