//! Jaeger from version 2 on, by its API v3: OTLP as it is stored, if it is asked for raw traces.
//!
//! Without `rawTraces` Jaeger corrects what it returns: it sorts, removes copies, gives a server that shares its client's
//! id a new one, and writes warnings into the spans. Some of that stays in a store in memory, so that even a raw read
//! shows it afterwards. So every read here is raw.

use async_trait::async_trait;
use reqwest::{Client, Url};
use serde_json::{Value as Json, json};
use trace::TraceId;

use super::{
    answer::{at, find, get},
    looks::recognize,
};
use crate::reader::{Criterion, Identity, Query, ReadError, ReadTrace, Reader, Representation};

/// Jaeger's API v3.
#[derive(Debug)]
pub(super) struct Jaeger {
    url: Url,
    client: Client,
}

// === impl Jaeger ===

impl Jaeger {
    pub(super) fn new(url: Url, client: Client) -> Jaeger {
        Jaeger { url, client }
    }
}

#[async_trait]
impl Reader for Jaeger {
    fn kind(&self) -> &str {
        "jaeger"
    }

    fn representation(&self) -> Representation {
        Representation::ALL
    }

    async fn identify(&self) -> Result<Identity, ReadError> {
        // Without any service it is {}.
        let is_it = |json: &Json| json["services"].is_array() || *json == json!({});
        let wanted = "Jaeger of version 2 or later";
        recognize(&self.client, &self.url, "/api/v3/services", wanted, is_it).await?;
        Ok(Identity {
            name: "Jaeger".to_owned(),
            version: version_on_page(&self.client, &self.url).await,
        })
    }

    async fn trace(&self, id: TraceId) -> Result<Option<ReadTrace>, ReadError> {
        let mut url = at(&self.url, &format!("/api/v3/traces/{id}"));
        // Versions before 2.14 call it raw_traces; each ignores the other's name.
        url.set_query(Some("rawTraces=true&raw_traces=true"));
        let Some(answer) = find(&self.client, url, "application/json").await? else {
            return Ok(None);
        };
        answer.trace(id).map(Some)
    }

    fn searches(&self) -> &[Criterion] {
        &Criterion::ALL
    }

    async fn search(&self, query: &Query) -> Result<Vec<TraceId>, ReadError> {
        let mut url = at(&self.url, "/api/v3/traces");
        // Without times it answers 400, without a depth 500.
        let (from, to) = query.time_ns.unwrap_or((0, i64::MAX as u64));
        {
            let mut pairs = url.query_pairs_mut();
            pairs
                .append_pair("query.start_time_min", &rfc3339(from))
                .append_pair("query.start_time_max", &rfc3339(to))
                .append_pair("query.num_traces", &query.limit.to_string())
                .append_pair("query.raw_traces", "true");
            if let Some(service) = &query.service {
                pairs.append_pair("query.service_name", service);
            }
            if let Some(name) = &query.name {
                pairs.append_pair("query.operation_name", name);
            }
            if let Some((key, value)) = &query.attribute {
                let map = json!({ key.as_str(): value });
                pairs.append_pair("query.attributes", &map.to_string());
            }
            if let Some(least) = query.min_duration {
                pairs.append_pair("query.duration_min", &format!("{}us", least.as_micros()));
            }
            if let Some(most) = query.max_duration {
                pairs.append_pair("query.duration_max", &format!("{}us", most.as_micros()));
            }
        }
        let Some(answer) = find(&self.client, url, "application/json").await? else {
            return Ok(Vec::new());
        };
        ids_of_spans(&answer.body).map_err(|why| answer.unreadable(why))
    }
}

/// The ids of the traces in a document.
pub(super) fn ids_of_spans(body: &[u8]) -> Result<Vec<TraceId>, String> {
    let spans = match formats::read(body) {
        Ok(contents) => contents.spans,
        Err(formats::ReadError::Empty) => Vec::new(),
        Err(error) => return Err(error.to_string()),
    };
    let mut ids: Vec<TraceId> = spans.iter().map(|span| span.trace_id).collect();
    ids.sort();
    ids.dedup();
    Ok(ids)
}

/// The version that Jaeger writes into its page.
pub(super) async fn version_on_page(client: &Client, base: &Url) -> Option<String> {
    let page = get(client, at(base, "/"), "text/html").await.ok()?;
    let text = String::from_utf8_lossy(&page.body).into_owned();
    let (_, after) = text.split_once("JAEGER_VERSION = ")?;
    let (_, after) = after.split_once("\"gitVersion\":\"")?;
    let (version, _) = after.split_once('"')?;
    let version = version.trim_start_matches('v');
    (!version.is_empty()).then(|| version.to_owned())
}

/// A time of RFC 3339, with nanoseconds.
fn rfc3339(ns: u64) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(ns));
    time.unwrap_or(jiff::Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn times_are_dates() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(
            rfc3339(1_790_000_000_123_456_789),
            "2026-09-21T14:13:20.123456789Z"
        );
    }
}
