//! The OTLP receiver of the lab: bounded store, exact accounting.
//!
//! [`run`] serves OTLP/gRPC and OTLP/HTTP from two listeners into a [`Store`], which the rest of the lab
//! reads. Traces are stored in the bytes that came; logs and metrics are checked, so that errors in them are
//! reported, and counted.
//!
//! What it does, and where the OTLP specification (1.x) says so:
//!
//! | here | OTLP specification |
//! | --- | --- |
//! | `grpc` | "OTLP/gRPC": unary calls of the three collector services, gzip and zstd |
//! | `http` | "OTLP/HTTP": `POST /v1/{traces,logs,metrics}`, binary protobuf and JSON, answered in the encoding of the request; `Content-Encoding` gzip or zstd |
//! | [`Taken`] | "Partial Success": how many were refused and why; a request is never sent again for it |
//! | `status` | "Failures": `google.rpc.Status`; `INVALID_ARGUMENT` and 400 for what can never be taken |
//! | `room` | "OTLP/gRPC Throttling", "OTLP/HTTP Throttling": `RESOURCE_EXHAUSTED` with `RetryInfo`, 429 with `Retry-After` |
//!
//! At every instant, spans received = stored + evicted + refused. A request that was never decoded
//! (malformed, or refused for want of room) is counted as a request, since the number of its spans is unknown.
//!
//! This crate must not know the shop, or what the spans mean.
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

mod body;
mod config;
mod cors;
mod grpc;
mod http;
mod room;
mod status;
mod store;
mod take;
mod taken;

pub use config::{Config, TooLittle};
pub use cors::{Origin, OriginError};
pub use store::{
    Query, Store, Stored, TooMuch, Trace,
    search::Summary,
    stats::{Bytes, Received, Requests, Spans, Stats, Traces},
};
pub use taken::Taken;

use std::{io, time::Duration};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The longest time for open requests to end after the shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// Receives OTLP on both listeners until `shutdown` is cancelled, then finishes the open requests.
///
/// # Errors
///
/// None today: a listener that cannot accept connections says so and tries again.
pub async fn run(
    grpc: TcpListener,
    http: TcpListener,
    store: Store,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let intake = body::Intake::new(&store);
    let unread = store.config().max_unread_bytes;
    let of_grpc = grpc::routes(store.clone(), intake.clone());
    let of_http = http::routes(store, intake);
    let grpc = tcp::Server::new(grpc).http2_only().unread(unread);
    let http = tcp::Server::new(http).unread(unread);
    tokio::join!(
        grpc.serve(of_grpc, shutdown.clone(), DRAIN),
        http.serve(of_http, shutdown, DRAIN),
    );
    Ok(())
}
