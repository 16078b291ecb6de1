//! What happened that must outlive the process, in order, until the [store](crate::store) takes it.
//!
//! Whoever keeps a message holds a [`Kept`], which strikes it out when it is dropped; so what is
//! written down is right whichever way a message leaves. It must not know how anything is stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use amq_protocol::types::FieldTable;
use parking_lot::Mutex;

use crate::exchange::Kind;
use crate::message::Message;

/// The journal of a broker. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// None when nothing is kept: there is no store, or it is closed.
    pending: Mutex<Option<Vec<Change>>>,
    /// The number of the batch that is being written.
    ticket: AtomicU64,
    last_id: AtomicU64,
}

/// Changes that belong together: they are stored all or none. Batches are numbered from one.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) ticket: u64,
    pub(crate) changes: Vec<Change>,
}

/// One thing that happened to what is durable.
#[derive(Debug)]
pub(crate) enum Change {
    DeclareExchange {
        name: String,
        kind: Kind,
        auto_delete: bool,
        internal: bool,
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
        queue: u64,
        key: String,
        arguments: FieldTable,
    },
    Unbind {
        exchange: String,
        queue: u64,
        key: String,
        arguments: FieldTable,
    },
    Keep {
        id: u64,
        queue: u64,
        message: Arc<Message>,
        /// When its time to live is over, in milliseconds since the Unix epoch.
        expires_ms: Option<u64>,
    },
    Forget {
        id: u64,
    },
}

/// A message in a queue that outlives the process, until this is dropped.
#[derive(Debug)]
pub(crate) struct Kept {
    journal: Journal,
    id: u64,
}

// === impl Journal ===

impl Journal {
    /// A journal that is read by a store, whose last message had this number.
    pub(crate) fn kept(last_id: u64) -> Self {
        Self::new(Some(Vec::new()), last_id)
    }

    /// A journal that is not read.
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

    /// Keeps a message of a queue; none if nothing is kept here.
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

    /// A message that was kept by an earlier process.
    pub(crate) fn kept_before(&self, id: u64) -> Kept {
        Kept {
            journal: self.clone(),
            id,
        }
    }

    /// The number of the batch that what is noted now belongs to.
    pub(crate) fn ticket(&self) -> u64 {
        self.inner.ticket.load(Ordering::Relaxed)
    }

    /// Takes what was noted, if anything was.
    pub(crate) fn take(&self) -> Option<Batch> {
        let mut pending = self.pending();
        let changes = pending.as_mut().filter(|pending| !pending.is_empty())?;
        let changes = std::mem::take(changes);
        let ticket = self.inner.ticket.fetch_add(1, Ordering::Relaxed);
        Some(Batch { ticket, changes })
    }

    /// Notes nothing more: what is dropped from now on stays kept.
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
