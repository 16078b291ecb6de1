//! [`count`]: a receiver that reads requests, counts them, and accepts all. It decodes nothing, so it takes what the
//! machine can send, and shows the limit of a sender.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::serve::{Receive, Reply, Request, serve};

/// What a counting receiver has received.
#[derive(Debug, Default)]
pub struct Counter {
    requests: AtomicU64,
    bytes: AtomicU64,
}

/// Receives OTLP/gRPC, and OTLP/HTTP by HTTP/1.1 and HTTP/2, on one listener until `shutdown` is cancelled.
///
/// # Errors
///
/// When the listener cannot accept connections any more.
pub async fn count(
    listener: TcpListener,
    counter: Arc<Counter>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    serve(listener, counter, shutdown).await
}

// === impl Counter ===

impl Counter {
    /// The requests that have arrived completely.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The bytes of their bodies, with the prefix of gRPC.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Receive for Counter {
    /// The number of bytes.
    type Body = usize;

    fn piece(body: &mut usize, piece: Bytes) {
        *body += piece.len();
    }

    fn receive(&self, _request: Request<'_>, bytes: usize) -> Reply {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Reply::Accepted
    }
}
