//! [`Config`]: the limits of the sink.

use std::time::Duration;

use thiserror::Error;

use crate::{Origin, Store};

/// The limits of a sink.
#[derive(Clone, Debug)]
pub struct Config {
    /// The bytes of memory for stored spans. Above this limit whole traces are evicted, oldest first.
    pub max_bytes: usize,
    /// The bytes of memory for the spans of one trace. Further spans are refused.
    pub max_trace_bytes: usize,
    /// The bytes of a request, as it is sent and again when it is decompressed.
    pub max_request_bytes: usize,
    /// The bytes of memory for requests that are received, unpacked and decoded at the same time. Further requests
    /// must be sent again later.
    pub max_in_flight_bytes: usize,
    /// The bytes that each connection may have sent and no request has read yet; it may always have 32 KiB.
    pub max_unread_bytes: usize,
    /// The delay after which such a request may be sent again. HTTP uses whole seconds, rounded up.
    pub retry_after: Duration,
    /// The longest time until a request has arrived. A slow sender must not keep its place for ever.
    pub request_timeout: Duration,
    /// A request that has not gone on for so long gives up its room when others are refused for want of room.
    pub stalled_after: Duration,
    /// The number of remembered evicted traces, whose late spans are refused. Otherwise such a trace would
    /// come back as a fragment.
    pub remembered_evictions: usize,
    /// The origins whose pages may send over OTLP/HTTP from a browser. None by default.
    pub cors: Vec<Origin>,
}

/// The memory is too little for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "{memory} MiB are too few: a request could have {} KiB then, and SDKs send more; {least} would do",
    memory << 10 >> SHARE_OF_A_REQUEST
)]
pub struct TooLittle {
    /// The memory, in MiB.
    pub memory: usize,
    /// The least that would do, in MiB.
    pub least: usize,
}

/// A quarter of the memory is for requests on their way into the store. One may have a quarter of that: JSON, what it
/// is unpacked to and what is stored of it stand in memory together.
const SHARE_IN_FLIGHT: usize = 2;
const SHARE_OF_A_REQUEST: usize = 4;
/// An eighth is kept free: 4 MiB for what the allocator has not given back yet, the rest for what connections have sent
/// and no request has read yet.
const SHARE_KEPT_FREE: usize = 3;
const OF_THE_ALLOCATOR: usize = 4 << 20;
/// So many connections have room in that rest, with full buffers.
const CONNECTIONS: usize = 128;
/// For so many evicted traces of each MiB the ids are remembered.
const REMEMBERED_OF_A_MIB: usize = 400;
/// The most evicted traces whose ids are remembered, whatever the memory is.
const MOST_REMEMBERED: usize = 100_000;
/// The most for one request, whatever the memory is.
const MOST_OF_A_REQUEST: usize = 16 << 20;
/// The least for one request: 512 spans, which SDKs send at once, with 2 KiB each.
const LEAST_OF_A_REQUEST: usize = 1 << 20;

impl Config {
    /// The limits for a sink that has this memory, in MiB, for all that it keeps and all that it receives.
    ///
    /// # Errors
    ///
    /// When it is too little for one request.
    pub fn within(memory: usize) -> Result<Config, TooLittle> {
        let least = LEAST_OF_A_REQUEST >> 20 << SHARE_OF_A_REQUEST;
        if memory < least {
            return Err(TooLittle { memory, least });
        }
        let bytes = memory.saturating_mul(1 << 20);
        let in_flight = bytes >> SHARE_IN_FLIGHT;
        let remembered = memory
            .saturating_mul(REMEMBERED_OF_A_MIB)
            .min(MOST_REMEMBERED);
        let kept_free = bytes >> SHARE_KEPT_FREE;
        let stored = bytes - in_flight - kept_free - remembered * Store::OF_AN_EVICTION;
        Ok(Config {
            max_bytes: stored,
            max_trace_bytes: stored / 3,
            max_request_bytes: (bytes >> SHARE_OF_A_REQUEST).min(MOST_OF_A_REQUEST),
            max_in_flight_bytes: in_flight,
            max_unread_bytes: kept_free.saturating_sub(OF_THE_ALLOCATOR) / CONNECTIONS,
            retry_after: Duration::from_secs(1),
            request_timeout: Duration::from_secs(30),
            stalled_after: Duration::from_secs(1),
            remembered_evictions: remembered,
            cors: Vec::new(),
        })
    }
}

impl Default for Config {
    /// The limits for 256 MiB.
    fn default() -> Self {
        Config::within(256).expect("256 MiB are enough for a request")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_shared_and_a_request_fits_in_it() {
        for memory in [16, 64, 1024, 1 << 20] {
            let config = Config::within(memory).unwrap();
            let evicted = config.remembered_evictions * Store::OF_AN_EVICTION;
            let all = config.max_bytes + config.max_in_flight_bytes + evicted;
            assert_eq!(all, (memory << 20) - (memory << 20 >> SHARE_KEPT_FREE));
            let unread = config.max_unread_bytes * CONNECTIONS;
            assert!(all + unread <= memory << 20);
            // The memory of the evicted is a small part.
            assert!(evicted <= memory << 20 >> 4);
            assert!(4 * config.max_request_bytes <= config.max_in_flight_bytes);
        }
    }

    #[test]
    fn too_little_is_refused_with_what_would_do() {
        let refused = Config::within(4).unwrap_err();
        let words =
            "4 MiB are too few: a request could have 256 KiB then, and SDKs send more; 16 would do";
        assert_eq!(refused.to_string(), words);
    }
}
