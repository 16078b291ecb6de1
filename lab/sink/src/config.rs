//! What the sink takes, and how much of it.

use std::time::Duration;

/// The bounds of a sink.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bytes of memory that stored spans may take. Past it, whole traces go, oldest first.
    pub max_bytes: usize,
    /// Bytes that the spans of one trace may take. Those past it are refused.
    pub max_trace_bytes: usize,
    /// Bytes that a request may have, as it is sent and again when it is decompressed.
    pub max_request_bytes: usize,
    /// Requests that may be received and decoded at once. Those past it are told to come later.
    pub max_in_flight: usize,
    /// How long they are told to wait. HTTP says it in whole seconds, rounded up.
    pub retry_after: Duration,
    /// How long a request may take to arrive. A slow sender must not keep its place for ever.
    pub request_timeout: Duration,
    /// How many evicted traces are remembered, so that their late spans are refused: without, a
    /// trace would come back as a fragment.
    pub remembered_evictions: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            max_bytes: 256 << 20,
            max_trace_bytes: 64 << 20,
            max_request_bytes: 16 << 20,
            max_in_flight: 64,
            retry_after: Duration::from_secs(1),
            request_timeout: Duration::from_secs(30),
            remembered_evictions: 100_000,
        }
    }
}
