//! A lab that runs already, as it is read over HTTP.

use std::{collections::HashSet, time::Duration};

use futures::{StreamExt, stream};
use loadgen::Line;
use reqwest::{Client, Url};
use serde_json::Value as Json;
use supervisor::Counts;
use thiserror::Error;
use trace::{Trace, TraceId, otlp};

use crate::{conditions::Conditions, described::Described, traces::mentions};

/// How many questions are asked at a time.
const AT_ONCE: usize = 8;

/// How long an answer may take: longer than a flush, which waits for the exporter.
const PATIENCE: Duration = Duration::from_secs(30);

/// A lab that runs already.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    client: Client,
    page: Url,
    checkout: Url,
    services: Vec<Url>,
    conditions: Conditions,
}

/// Why a lab that runs already cannot be used.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// Nobody answers there.
    #[error(
        "there is no lab at {url} ({why}): start one with `tracelab up`, or leave out --lab for one \
         of its own"
    )]
    Unreachable {
        /// Where it was looked for.
        url: Url,
        /// What became of the attempt.
        why: String,
    },
    /// What answers there is something else.
    #[error("what answers at {url} is no lab of this version: {why}")]
    NoLab {
        /// Where it was looked for.
        url: Url,
        /// What is wrong with the answer.
        why: String,
    },
}

// === impl Remote ===

impl Remote {
    /// Finds out where everything of a lab listens.
    pub(crate) async fn find(page: Url) -> Result<Remote, RemoteError> {
        let client = http_client::with(|it| it.no_proxy().timeout(PATIENCE));
        let no_lab = |why: String| RemoteError::NoLab {
            url: page.clone(),
            why,
        };
        let url = page
            .join("/api/lab")
            .map_err(|error| no_lab(error.to_string()))?;
        let reply = client
            .get(url)
            .send()
            .await
            .map_err(|error| RemoteError::Unreachable {
                url: page.clone(),
                why: innermost(&error),
            })?;
        let described: Described = reply
            .json()
            .await
            .map_err(|error| no_lab(innermost(&error)))?;
        let address = |process: &str| {
            let process = described.services.get(process)?;
            process.url.parse::<Url>().ok()
        };
        Ok(Remote {
            checkout: address("checkout").ok_or_else(|| no_lab("it has no checkout".to_owned()))?,
            services: supervisor::Part::SERVICES
                .iter()
                .filter_map(|part| address(part.name()))
                .collect(),
            conditions: Conditions::Shop {
                database: described.database,
                pace: described.pace,
            },
            client,
            page,
        })
    }

    /// What its shop has of what a scenario may need.
    pub(crate) fn conditions(&self) -> Conditions {
        self.conditions
    }

    /// Where its shop takes orders.
    pub(crate) fn checkout(&self) -> &Url {
        &self.checkout
    }

    /// The traces of these requests, and those that have to do with them.
    pub(crate) async fn traces_of(&self, lines: Vec<&Line>) -> Vec<Trace> {
        let read = stream::iter(lines.into_iter().map(|line| self.traces_of_one(line)))
            .buffer_unordered(AT_ONCE)
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
        let json = self.get(&format!("/api/traces/{id}")).await?;
        let decoded = otlp::from_json(json.to_string().as_bytes()).ok()?;
        Some(Trace::new(id, decoded.spans))
    }

    async fn with_attribute(&self, key: &str, value: &str) -> Vec<Trace> {
        let mut url = self.page.clone();
        url.set_path("/api/traces");
        url.query_pairs_mut()
            .append_pair("attribute", &format!("{key}={value}"));
        let path = match url.query() {
            Some(query) => format!("/api/traces?{query}"),
            None => "/api/traces".to_owned(),
        };
        let found = self.get(&path).await.unwrap_or_default();
        let ids = found["traces"].as_array().cloned().unwrap_or_default();
        let ids: Vec<TraceId> = ids
            .iter()
            .filter_map(|summary| summary["trace_id"].as_str()?.parse().ok())
            .collect();
        let mut traces = Vec::new();
        for id in ids {
            traces.extend(self.trace(id).await);
        }
        traces
    }

    /// Asks each service to push out what it has.
    pub(crate) async fn flush(&self) {
        self.counts().await;
    }

    /// How many spans were lost so far.
    pub(crate) async fn lost_spans(&self) -> u64 {
        let in_services: u64 = self.counts().await.iter().map(lost).sum();
        let stats = self.get("/api/stats").await.unwrap_or_default();
        let in_sink = |field: &str| stats["spans"][field].as_u64().unwrap_or(0);
        in_services + in_sink("evicted") + in_sink("refused")
    }

    async fn counts(&self) -> Vec<Counts> {
        let asked = self.services.iter().map(|service| async {
            let url = service.join("/lab/flush").ok()?;
            let reply = self.client.post(url).send().await.ok()?;
            reply.json::<Counts>().await.ok()
        });
        let answers = futures::future::join_all(asked).await;
        answers.into_iter().flatten().collect()
    }

    async fn get(&self, path: &str) -> Option<Json> {
        let url = self.page.join(path).ok()?;
        let reply = self.client.get(url).send().await.ok()?;
        reply.error_for_status().ok()?.json().await.ok()
    }
}

fn innermost(error: &reqwest::Error) -> String {
    let mut error: &dyn std::error::Error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// The spans of a service that will never arrive.
pub(crate) fn lost(counts: &Counts) -> u64 {
    counts.dropped + counts.failed
}

/// Each trace once.
fn distinct(mut traces: Vec<Trace>) -> Vec<Trace> {
    let mut seen = HashSet::new();
    traces.retain(|trace| seen.insert(trace.id()));
    traces
}
