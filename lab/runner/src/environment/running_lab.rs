//! [`RunningLab`]: a lab that runs already, read over its HTTP API.

use std::{collections::HashSet, error::Error, sync::Arc, time::Duration};

use futures::{StreamExt, future, stream};
use loadgen::Line;
use parking_lot::Mutex;
use plain::Plain;
use protocol::{ClientError, LabClient};
use reqwest::{Client, StatusCode, Url};
use supervisor::{Component, Counts};
use thiserror::Error;
use trace::{Trace, TraceId};

use crate::{conditions::Conditions, traces::mentions};

/// The highest number of concurrent requests for traces.
const CONCURRENT: usize = 8;

/// The longest wait for an answer. The longest is that of a flush; where the receiver is away, a service goes on
/// exporting in the background.
const PATIENCE: Duration = Duration::from_secs(30);

/// A lab that runs already.
#[derive(Clone, Debug)]
pub(super) struct RunningLab {
    lab: LabClient,
    /// The HTTP client for the services.
    client: Client,
    checkout: Url,
    services: Vec<Url>,
    conditions: Conditions,
    /// The traces of requests that the lab evicted.
    evicted: Arc<Mutex<HashSet<TraceId>>>,
}

/// Why a lab that runs already cannot be used.
#[derive(Debug, Error)]
pub enum RunningLabError {
    /// Nothing answers at its address.
    #[error(
        "there is no lab at {url} ({}): start one with `tracelab up`, or leave out --lab for one \
         of its own",
        Plain(why)
    )]
    Unreachable {
        /// The address.
        url: Url,
        /// How the attempt failed.
        why: String,
    },
    /// The server at the address is not a lab.
    #[error("what answers at {url} is no lab of this version: {}", Plain(why))]
    NotALab {
        /// The address.
        url: Url,
        /// What is wrong with the answer.
        why: String,
    },
}

// === impl RunningLab ===

impl RunningLab {
    /// Reads from the lab where its components listen.
    pub(super) async fn find(page: Url) -> Result<RunningLab, RunningLabError> {
        let lab = LabClient::with_timeout(page.clone(), PATIENCE);
        let not_a_lab = |why: String| RunningLabError::NotALab {
            url: page.clone(),
            why,
        };
        let description = lab.describe().await.map_err(|error| match &error {
            ClientError::Unreachable { source, .. } => RunningLabError::Unreachable {
                url: page.clone(),
                why: innermost(source),
            },
            other => not_a_lab(innermost(other)),
        })?;
        let address = |process: &str| {
            let process = description.services.get(process)?;
            process.url.parse::<Url>().ok()
        };
        Ok(RunningLab {
            checkout: address("checkout")
                .ok_or_else(|| not_a_lab("it has no checkout".to_owned()))?,
            services: Component::SERVICES
                .iter()
                .filter_map(|service| address(service.name()))
                .collect(),
            conditions: Conditions::Shop {
                database: description.database,
                pace: description.pace,
            },
            evicted: Arc::default(),
            lab,
            client: http_client::with(|it| it.no_proxy().timeout(PATIENCE)),
        })
    }

    /// What the shop offers to the needs of a scenario.
    pub(super) fn conditions(&self) -> Conditions {
        self.conditions
    }

    /// The address of the lab's checkout.
    pub(super) fn checkout(&self) -> &Url {
        &self.checkout
    }

    /// The traces of these requests, and the traces that are connected with them.
    pub(super) async fn traces_of(&self, lines: Vec<&Line>) -> Vec<Trace> {
        let read = stream::iter(lines.into_iter().map(|line| self.traces_of_one(line)))
            .buffer_unordered(CONCURRENT)
            .collect::<Vec<_>>()
            .await;
        distinct(read.into_iter().flatten().collect())
    }

    async fn traces_of_one(&self, line: &Line) -> Vec<Trace> {
        let own = match line.trace_id {
            Some(id) => self.trace(id).await.into_iter().collect(),
            None => {
                self.with_attribute("lab.request", line.request_id.as_str())
                    .await
            }
        };
        let mut traces: Vec<Trace> = own;
        let of_line = [line.order_id.as_deref(), line.message_id.as_deref()];
        let mut ids: Vec<(&str, String)> = ["order.id", "messaging.message.id"]
            .into_iter()
            .zip(of_line)
            .filter_map(|(key, id)| Some((key, id?.to_owned())))
            .collect();
        let spans = traces.iter().flat_map(|trace| trace.spans());
        for mention in spans.flat_map(mentions) {
            if ids.iter().all(|(_, id)| id != mention) {
                ids.push(("messaging.message.id", mention.to_owned()));
            }
        }
        for (key, id) in ids {
            traces.extend(self.with_attribute(key, &id).await);
        }
        traces
    }

    async fn trace(&self, id: TraceId) -> Option<Trace> {
        match self.lab.trace(id).await {
            Ok(spans) => Some(Trace::new(id, spans)),
            Err(ClientError::Refused { status, .. }) if status == StatusCode::GONE => {
                self.evicted.lock().insert(id);
                None
            }
            Err(_) => None,
        }
    }

    /// Whether the lab said that it evicted this trace.
    pub(super) fn was_evicted(&self, id: TraceId) -> bool {
        self.evicted.lock().contains(&id)
    }

    /// Makes the lab forget a trace; returns the number of its spans.
    pub(super) async fn forget(&self, id: TraceId) -> u64 {
        // A lab of an older version cannot; then its sink evicts what it has no room for.
        let forgotten = self.lab.forget_trace(id).await;
        forgotten.map_or(0, |forgotten| forgotten.spans)
    }

    /// The share of its memory that this many spans take in the lab's sink, as its other spans do.
    pub(super) async fn share_of_memory(&self, spans: usize) -> f64 {
        match self.lab.stats().await {
            Ok(stats) if stats.spans.stored > 0 => {
                let each = stats.bytes.stored as f64 / stats.spans.stored as f64;
                spans as f64 * each / stats.bytes.limit.max(1) as f64
            }
            _ => 0.0,
        }
    }

    async fn with_attribute(&self, key: &str, value: &str) -> Vec<Trace> {
        let found = self.lab.traces_with(key, value).await.unwrap_or_default();
        let mut traces = Vec::new();
        for summary in found {
            traces.extend(self.trace(summary.trace_id).await);
        }
        traces
    }

    /// Makes each service export its spans.
    pub(super) async fn flush(&self) {
        self.counts().await;
    }

    /// The number of spans that were lost so far.
    pub(super) async fn lost_spans(&self) -> u64 {
        let in_services: u64 = self.counts().await.iter().map(lost).sum();
        let in_sink = match self.lab.stats().await {
            Ok(stats) => stats.spans.evicted + stats.spans.refused,
            Err(_) => 0,
        };
        in_services + in_sink
    }

    async fn counts(&self) -> Vec<Counts> {
        let asked = self.services.iter().map(|service| async {
            let url = service.join("/lab/flush").ok()?;
            let reply = self.client.post(url).send().await.ok()?;
            let counts = http_client::read(reply, MOST_COUNTS).await.ok()?;
            serde_json::from_slice::<Counts>(&counts).ok()
        });
        let answers = future::join_all(asked).await;
        answers.into_iter().flatten().collect()
    }
}

/// The most bytes that are read of the counts of a service.
const MOST_COUNTS: usize = 64 << 10;

/// The message of the first cause of an error.
fn innermost(mut error: &dyn Error) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// The number of spans of a service that will never arrive.
pub(super) fn lost(counts: &Counts) -> u64 {
    counts.dropped + counts.failed
}

/// Removes repeated traces.
fn distinct(mut traces: Vec<Trace>) -> Vec<Trace> {
    let mut seen = HashSet::new();
    traces.retain(|trace| seen.insert(trace.id()));
    traces
}
