//! What the sink has counted.

/// All counters since the sink began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Spans: received = stored + evicted + refused.
    pub spans: Spans,
    /// Traces.
    pub traces: Traces,
    /// Bytes of memory.
    pub bytes: Bytes,
    /// Log records.
    pub logs: Received,
    /// Data points of metrics.
    pub metrics: Received,
    /// Requests of all signals.
    pub requests: Requests,
}

/// Counts of spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spans {
    /// Decoded from requests.
    pub received: u64,
    /// In the store now.
    pub stored: u64,
    /// Were stored, and went with their trace.
    pub evicted: u64,
    /// Were never stored: without a usable id, of an evicted trace, or past what a trace may take.
    pub refused: u64,
}

/// Counts of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traces {
    /// In the store now.
    pub stored: u64,
    /// Evicted.
    pub evicted: u64,
}

/// Bytes of memory, as the store weighs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes {
    /// Taken by the spans in the store now.
    pub stored: u64,
    /// What they may take.
    pub limit: u64,
}

/// A count of what is decoded, counted and not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Decoded from requests.
    pub received: u64,
}

/// Counts of requests, by how they were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requests {
    /// All of it was taken.
    pub accepted: u64,
    /// Some of its spans were refused.
    pub partial: u64,
    /// It could not be read: malformed, too large, or of a type that is not served.
    pub malformed: u64,
    /// It was told to come later.
    pub overloaded: u64,
}
