//! What this process knows of its spans: how many have ended, were exported and were lost.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// The number of spans of this process, by their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Sampled spans that have ended.
    pub ended: u64,
    /// Spans that the receiver accepted.
    pub exported: u64,
    /// Spans that ended while the queue was full, or after shutdown.
    pub dropped: u64,
    /// Spans whose export failed after all retries.
    pub failed: u64,
    /// Spans that wait in the queue or are being exported.
    pub queued: u64,
}

/// The counters behind [`Counts`], which several threads write.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) ended: AtomicU64,
    pub(super) exported: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) failed: AtomicU64,
}

// === impl Counters ===

impl Counters {
    /// Reads all counters: the sum of the others never exceeds `ended`.
    pub(super) fn read(&self) -> Counts {
        // `ended` is read last: every span is counted there first.
        let exported = self.exported.load(Ordering::Acquire);
        let dropped = self.dropped.load(Ordering::Acquire);
        let failed = self.failed.load(Ordering::Acquire);
        let ended = self.ended.load(Ordering::Acquire);
        let queued = ended.saturating_sub(exported + dropped + failed);
        Counts {
            ended,
            exported,
            dropped,
            failed,
            queued,
        }
    }
}
