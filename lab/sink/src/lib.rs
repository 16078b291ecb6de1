//! The OTLP receiver of the lab: bounded store, exact accounting.
//!
//! [`run`] serves OTLP/gRPC and OTLP/HTTP from two listeners into a [`Store`], which the rest of the lab
//! reads. Traces are stored; logs and metrics are decoded, so that errors in them are reported, and counted.
//!
//! What it does, and where the OTLP specification (1.x) says so:
//!
//! | here | OTLP specification |
//! | --- | --- |
//! | `grpc` | "OTLP/gRPC": unary calls of the three collector services, gzip and zstd |
//! | `http` | "OTLP/HTTP": `POST /v1/{traces,logs,metrics}`, binary protobuf and JSON, answered in the encoding of the request; `Content-Encoding` gzip or zstd |
//! | [`Taken`] | "Partial Success": how many were refused and why; a request is never sent again for it |
//! | `status` | "Failures": `google.rpc.Status`; `INVALID_ARGUMENT` and 400 for what can never be taken |
//! | `gate` | "OTLP/gRPC Throttling", "OTLP/HTTP Throttling": `RESOURCE_EXHAUSTED` with `RetryInfo`, 429 with `Retry-After` |
//!
//! At every instant, spans received = stored + evicted + refused. A request that was never decoded
//! (malformed, or refused at the gate) is counted as a request, since the number of its spans is unknown.
//!
//! This crate must not know the shop, or what the spans mean.
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

mod config;
mod cors;
mod gate;
mod grpc;
mod http;
mod status;
mod store;
mod take;

pub use config::Config;
pub use cors::{Origin, OriginError};
pub use store::{
    Query, Store,
    search::Summary,
    stats::{Bytes, Received, Requests, Spans, Stats, Traces},
};
pub use take::Taken;

use std::{io, time::Duration};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The longest time for open requests to end after the shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// Receives OTLP on both listeners until `shutdown` is cancelled, then finishes the open requests.
///
/// # Errors
///
/// When a listener cannot accept connections any more.
pub async fn run(
    grpc: TcpListener,
    http: TcpListener,
    store: Store,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let gate = gate::Gate::new(store.config());
    let serving = async {
        tokio::try_join!(
            grpc::serve(grpc, store.clone(), gate.clone(), shutdown.clone()),
            http::serve(http, store.clone(), gate.clone(), shutdown.clone()),
        )
    };
    let too_long = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = serving => served.map(|_| ()),
        // A peer that never ends its request must not keep the lab from ending.
        () = too_long => Ok(()),
    }
}
