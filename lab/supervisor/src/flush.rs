//! Makes the services export their telemetry, and reads the counts of their spans.

use std::{net::SocketAddr, time::Duration};

use reqwest::Client;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Component;

/// The numbers of a service's spans since its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Sampled spans that have ended.
    pub ended: u64,
    /// Spans that the receiver accepted.
    pub exported: u64,
    /// Spans that ended while the queue was full.
    pub dropped: u64,
    /// Spans whose export failed finally.
    pub failed: u64,
    /// Spans that wait in the queue.
    pub queued: u64,
}

/// The answer of a service to a flush.
#[derive(Debug)]
pub struct Flushed {
    /// The service.
    pub service: Component,
    /// The counts of its spans.
    pub counts: Result<Counts, FlushError>,
}

/// Why a service did not report the counts of its spans.
#[derive(Debug, Error)]
pub enum FlushError {
    /// The service could not be reached, or the connection broke.
    #[error("{service} cannot be reached")]
    Unreachable {
        /// The service.
        service: Component,
        /// The error of the HTTP client.
        source: reqwest::Error,
    },
    /// The service answered with an error or with another document.
    #[error("{service} did not answer a flush as it should: {status}")]
    Refused {
        /// The service.
        service: Component,
        /// The status of its reply.
        status: reqwest::StatusCode,
    },
}

/// The longest wait for a flush. A service whose receiver is away may answer later, and exports in the background.
const PATIENCE: Duration = Duration::from_secs(30);

/// An HTTP client for the lab's own services, without a proxy.
pub(crate) fn client() -> Client {
    http_client::with(|it| it.no_proxy().timeout(PATIENCE))
}

pub(crate) async fn flush(client: &Client, service: Component, address: SocketAddr) -> Flushed {
    Flushed {
        service,
        counts: ask(client, service, address).await,
    }
}

async fn ask(
    client: &Client,
    service: Component,
    address: SocketAddr,
) -> Result<Counts, FlushError> {
    let unreachable = |source| FlushError::Unreachable { service, source };
    let response = client
        .post(format!("http://{address}/lab/flush"))
        .send()
        .await
        .map_err(unreachable)?;
    let status = response.status();
    if !status.is_success() {
        return Err(FlushError::Refused { service, status });
    }
    response.json().await.map_err(unreachable)
}
