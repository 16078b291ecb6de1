//! [`Prometheus`]: what metrics that are made from spans say, by the HTTP API of Prometheus.
//!
//! The names differ: the Collector's connector writes `traces_span_metrics_calls_total`, older ones `calls_total`, Tempo's
//! generator `traces_spanmetrics_calls_total`; the service is in `service_name` or `service`. All are understood.

use std::collections::BTreeMap;

use reqwest::{Client, Url};
use serde_json::Value as Json;

use crate::{
    access::{Access, AccessError},
    reader::ReadError,
    readers::{TIMEOUT, at, get},
};

/// A server with the HTTP API of Prometheus.
#[derive(Clone, Debug)]
pub struct Prometheus {
    url: Url,
    client: Client,
}

/// What the metrics say of the spans of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SpanMetrics {
    /// The number of spans, by the counter of calls.
    pub calls: f64,
    /// The number of spans, by the histogram of durations.
    pub count: f64,
    /// The sum of their durations, in milliseconds.
    pub sum_ms: f64,
}

/// What the names of the metrics begin with; `None` of them in old versions.
const PREFIX: &str = "(traces_span_metrics_|traces_spanmetrics_|span_metrics_|)";

// === impl Prometheus ===

impl Prometheus {
    /// A client of the server at an address.
    ///
    /// # Errors
    ///
    /// [`AccessError`]: the certificates cannot be read.
    pub fn new(url: Url, access: &Access) -> Result<Prometheus, AccessError> {
        Ok(Prometheus {
            url,
            client: access.client(TIMEOUT)?,
        })
    }

    /// Whether it is such a server.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub async fn check(&self) -> Result<(), ReadError> {
        self.query("vector(1)").await.map(drop)
    }

    /// The metrics of a service's spans, by the names of the spans.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub async fn of_service(
        &self,
        service: &str,
    ) -> Result<BTreeMap<String, SpanMetrics>, ReadError> {
        let mut found: BTreeMap<String, SpanMetrics> = BTreeMap::new();
        for label in ["service_name", "service"] {
            let service = Json::from(service).to_string();
            let names = format!(
                "{PREFIX}(calls(_total)?|(latency|duration(_milliseconds|_seconds)?)_(sum|count))"
            );
            let query = format!("{{__name__=~\"{names}\", {label}={service}}}");
            for series in self.query(&query).await? {
                let labels = &series["metric"];
                let name = labels["__name__"].as_str().unwrap_or_default();
                let span = labels["span_name"].as_str().unwrap_or_default();
                let value = series["value"][1]
                    .as_str()
                    .and_then(|value| value.parse::<f64>().ok());
                let value = value.unwrap_or(f64::NAN);
                let of_span = found.entry(span.to_owned()).or_default();
                // Several series of one span name differ in its kind or status.
                if name.ends_with("_sum") {
                    // Tempo's latency is in seconds, as every name without a unit that is not the Collector's.
                    let is_ms = name.contains("milliseconds") || name.ends_with("duration_sum");
                    of_span.sum_ms += if is_ms { value } else { value * 1e3 };
                } else if name.ends_with("_count") {
                    of_span.count += value;
                } else {
                    of_span.calls += value;
                }
            }
            if !found.is_empty() {
                break;
            }
        }
        Ok(found)
    }

    async fn query(&self, query: &str) -> Result<Vec<Json>, ReadError> {
        let mut url = at(&self.url, "/api/v1/query");
        url.query_pairs_mut().append_pair("query", query);
        let answer = get(&self.client, url, "application/json").await?;
        let json = match answer.json() {
            Ok(json) if json["status"] == "success" => json,
            Ok(_) if !answer.status.is_success() => return Err(answer.error()),
            _ => {
                return Err(ReadError::OtherBackend {
                    url: self.url.to_string().trim_end_matches('/').to_owned(),
                    wanted: "Prometheus".to_owned(),
                    looks: format!("it answers {} to /api/v1/query", answer.status.as_u16()),
                });
            }
        };
        Ok(json["data"]["result"]
            .as_array()
            .cloned()
            .unwrap_or_default())
    }
}
