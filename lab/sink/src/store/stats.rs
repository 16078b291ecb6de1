//! The counters of the sink.

/// All counters since the start of the sink.
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
    /// Texts in which U+FFFD replaces what is no character, as where a sender cut a text in the middle of one.
    pub replaced: u64,
}

/// Counts of spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spans {
    /// Spans that were decoded from requests.
    pub received: u64,
    /// Spans in the store now.
    pub stored: u64,
    /// Spans that were stored, and then evicted with their trace.
    pub evicted: u64,
    /// Spans that were never stored: without a valid id, in a field that OTLP no longer has, of
    /// an evicted trace, or above the limit of a trace.
    pub refused: u64,
}

/// Counts of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traces {
    /// Traces in the store now.
    pub stored: u64,
    /// Traces that were evicted.
    pub evicted: u64,
}

/// Bytes of memory, as the store counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes {
    /// Bytes of the spans in the store now.
    pub stored: u64,
    /// The limit of these bytes.
    pub limit: u64,
}

/// A count of items that are decoded, counted and not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Items that were decoded from requests.
    pub received: u64,
}

/// Counts of requests, by their answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requests {
    /// Requests that were accepted completely.
    pub accepted: u64,
    /// Requests some of whose spans were refused.
    pub partial: u64,
    /// Requests that could not be read: malformed, too large, or of a type that is not served.
    pub malformed: u64,
    /// Requests that were refused for overload and may be sent again.
    pub overloaded: u64,
}
