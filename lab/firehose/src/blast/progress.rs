//! [`Progress`]: how far a run has come, for those who watch it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::Outcome;

/// Counts of spans that grow while a run goes on.
#[derive(Debug, Default)]
pub struct Progress {
    sent: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    in_flight: AtomicI64,
    waiting: AtomicI64,
}

// === impl Progress ===

impl Progress {
    /// Spans in requests that were begun.
    pub fn spans_sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Spans that were accepted.
    pub fn spans_accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Spans whose requests ended otherwise.
    pub fn spans_refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Requests without an answer.
    pub fn requests_in_flight(&self) -> u64 {
        u64::try_from(self.in_flight.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Spans that wait to be sent again.
    pub fn spans_waiting(&self) -> u64 {
        u64::try_from(self.waiting.load(Ordering::Relaxed)).unwrap_or(0)
    }

    pub(super) fn sent(&self, spans: u64) {
        self.sent.fetch_add(spans, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, spans: u64, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Accepted | Outcome::Partial { .. } => &self.accepted,
            _ => &self.refused,
        };
        counter.fetch_add(spans, Ordering::Relaxed);
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn waiting(&self, spans: u64, waits: bool) {
        let spans = spans as i64;
        let change = if waits { spans } else { -spans };
        self.waiting.fetch_add(change, Ordering::Relaxed);
    }
}
