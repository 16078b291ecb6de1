//! Asks the services to push their telemetry out, and what became of it.

use std::{net::SocketAddr, time::Duration};

use reqwest::Client;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Component;

/// What became of the spans of a service since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Sampled spans that have ended.
    pub ended: u64,
    /// Spans that the receiver took.
    pub exported: u64,
    /// Spans that ended while the queue was full.
    pub dropped: u64,
    /// Spans whose export failed for good.
    pub failed: u64,
    /// Spans that still wait.
    pub queued: u64,
}

/// What a service answered when it was asked to push its telemetry out.
#[derive(Debug)]
pub struct Flushed {
    /// The service.
    pub service: Component,
    /// What became of its spans.
    pub counts: Result<Counts, FlushError>,
}

/// Why a service did not say what became of its spans.
#[derive(Debug, Error)]
pub enum FlushError {
    /// It could not be reached, or it broke off.
    #[error("{service} cannot be reached")]
    Unreachable {
        /// The service.
        service: Component,
        /// What happened.
        source: reqwest::Error,
    },
    /// It gave an answer that is none.
    #[error("{service} did not answer a flush as it should: {status}")]
    Refused {
        /// The service.
        service: Component,
        /// The status of its reply.
        status: reqwest::StatusCode,
    },
}

/// How long a flush may take: longer than an exporter waits for its receiver.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client for the lab's own services: no proxy stands between it and them.
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
