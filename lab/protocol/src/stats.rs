//! [`Stats`]: what the lab's sink has counted.

use serde::{Deserialize, Serialize};

/// All counters since the sink began: the answer of `GET /api/stats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Spans: received = stored + evicted + refused.
    pub spans: SpanCounts,
    /// Traces.
    pub traces: TraceCounts,
    /// Bytes of memory.
    pub bytes: ByteCounts,
    /// Log records.
    pub logs: ReceivedCount,
    /// Data points of metrics.
    pub metrics: ReceivedCount,
    /// Requests of all signals.
    pub requests: RequestCounts,
    /// Texts in which U+FFFD replaces what is no character. A lab of an older version does not count them.
    #[serde(default)]
    pub replaced: u64,
}

/// Counts of spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanCounts {
    /// Decoded from requests.
    pub received: u64,
    /// In the store now.
    pub stored: u64,
    /// Were stored, and went with their trace.
    pub evicted: u64,
    /// Were never stored: without a usable id, of an evicted trace, or past what a trace may take.
    pub refused: u64,
}

/// What a lab forgot of a trace: the answer of `DELETE /api/traces/{hex}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// The number of its spans; 0 if the lab did not have it.
    pub spans: u64,
}

/// Counts of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceCounts {
    /// In the store now.
    pub stored: u64,
    /// Evicted.
    pub evicted: u64,
}

/// Bytes of memory, as the store weighs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteCounts {
    /// Taken by the spans in the store now.
    pub stored: u64,
    /// What they may take.
    pub limit: u64,
}

/// A count of what is decoded and counted, and not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedCount {
    /// Decoded from requests.
    pub received: u64,
}

/// Counts of requests, by how they were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestCounts {
    /// All of the request was taken.
    pub accepted: u64,
    /// Some of its spans were refused.
    pub partial: u64,
    /// It could not be read: malformed, too large, or of a type that is not served.
    pub malformed: u64,
    /// The sender was told to come back later.
    pub overloaded: u64,
}
