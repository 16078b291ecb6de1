//! [`Config`]: the limits of the sink.

use std::time::Duration;

use crate::Origin;

/// The limits of a sink.
#[derive(Clone, Debug)]
pub struct Config {
    /// The bytes of memory for stored spans. Above this limit whole traces are evicted, oldest first.
    pub max_bytes: usize,
    /// The bytes of memory for the spans of one trace. Further spans are refused.
    pub max_trace_bytes: usize,
    /// The bytes of a request, as it is sent and again when it is decompressed.
    pub max_request_bytes: usize,
    /// The number of requests that are received and decoded at the same time. Further requests must be sent
    /// again later.
    pub max_in_flight: usize,
    /// The delay after which such a request may be sent again. HTTP uses whole seconds, rounded up.
    pub retry_after: Duration,
    /// The longest time until a request has arrived. A slow sender must not keep its place for ever.
    pub request_timeout: Duration,
    /// The number of remembered evicted traces, whose late spans are refused. Otherwise such a trace would
    /// come back as a fragment.
    pub remembered_evictions: usize,
    /// The origins whose pages may send over OTLP/HTTP from a browser. None by default.
    pub cors: Vec<Origin>,
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
            cors: Vec::new(),
        }
    }
}
