//! What has arrived from the user's own services, and what that says of traces that are missing.

use std::{collections::HashSet, net::SocketAddr};

use diagnose::plural;
use trace::TraceId;

/// What a receiver had at one moment.
#[derive(Debug)]
pub(crate) struct Arrivals {
    pub(super) spans: u64,
    /// Requests that could not be read.
    pub(super) unreadable: u64,
    pub(super) traces: HashSet<TraceId>,
}

/// What a receiver got during a phase.
#[derive(Debug)]
pub(super) struct During {
    pub(super) spans: u64,
    pub(super) unreadable: u64,
    /// The number of traces that belong to no request of the phase.
    pub(super) foreign: usize,
}

/// The addresses of a receiver.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    pub(super) grpc: SocketAddr,
    pub(super) http: SocketAddr,
}

// === impl During ===

impl During {
    /// Why traces of requests are missing that brought a `traceparent`; `None` where what arrived does not say.
    pub(super) fn cause(&self, addresses: Addresses) -> Option<String> {
        let Addresses { grpc, http } = addresses;
        if self.spans == 0 {
            let nothing = format!("0 spans reached {grpc} (gRPC) or {http} (HTTP)");
            return Some(match self.unreadable {
                0 => nothing,
                requests => {
                    let requests = plural(requests as usize, "request");
                    format!("{nothing}, and {requests} there could not be read")
                }
            });
        }
        let foreign = match self.foreign {
            0 => return None,
            1 => "1 trace came with an id of its own".to_owned(),
            several => format!("{several} traces came with ids of their own"),
        };
        Some(format!("{foreign}: traceparent is not taken up"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn what_arrived_says_why_a_trace_did_not() {
        let addresses = Addresses {
            grpc: "127.0.0.1:4317".parse().unwrap(),
            http: "127.0.0.1:4318".parse().unwrap(),
        };
        for (spans, unreadable, foreign, cause) in [
            (
                0,
                0,
                0,
                Some("0 spans reached 127.0.0.1:4317 (gRPC) or 127.0.0.1:4318 (HTTP)"),
            ),
            (
                0,
                2,
                0,
                Some(
                    "0 spans reached 127.0.0.1:4317 (gRPC) or 127.0.0.1:4318 (HTTP), and 2 requests there \
                     could not be read",
                ),
            ),
            (
                9,
                0,
                3,
                Some("3 traces came with ids of their own: traceparent is not taken up"),
            ),
            (
                3,
                0,
                1,
                Some("1 trace came with an id of its own: traceparent is not taken up"),
            ),
            (9, 0, 0, None),
        ] {
            let during = During {
                spans,
                unreadable,
                foreign,
            };
            assert_eq!(during.cause(addresses).as_deref(), cause, "{during:?}");
        }
    }
}
