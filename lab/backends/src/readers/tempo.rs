//! Grafana Tempo, by its API v2. It is asked for protobuf: its JSON has base64 ids and enums as names.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Url};
use serde_json::Value as Json;
use trace::TraceId;

use super::{
    answer::{at, find},
    looks::recognize,
};
use crate::reader::{Criterion, Identity, Query, ReadError, ReadTrace, Reader, Representation};

/// Tempo's API.
#[derive(Debug)]
pub(super) struct Tempo {
    url: Url,
    client: Client,
}

/// The number of the field `trace` in Tempo's `TraceByIDResponse`; `status` and `message` are 3 and 4
/// (`pkg/tempopb/tempo.proto`).
const TRACE: u32 = 1;
const STATUS: u32 = 3;
const MESSAGE: u32 = 4;

// === impl Tempo ===

impl Tempo {
    pub(super) fn new(url: Url, client: Client) -> Tempo {
        Tempo { url, client }
    }
}

#[async_trait]
impl Reader for Tempo {
    fn kind(&self) -> &str {
        "tempo"
    }

    fn representation(&self) -> Representation {
        Representation::ALL
    }

    async fn identify(&self) -> Result<Identity, ReadError> {
        let is_it = |json: &Json| json["version"].is_string();
        let json = recognize(
            &self.client,
            &self.url,
            "/api/status/buildinfo",
            "Tempo",
            is_it,
        )
        .await?;
        Ok(Identity {
            name: "Tempo".to_owned(),
            version: json["version"].as_str().map(str::to_owned),
        })
    }

    async fn trace(&self, id: TraceId) -> Result<Option<ReadTrace>, ReadError> {
        let url = at(&self.url, &format!("/api/v2/traces/{id}"));
        let Some(answer) = find(&self.client, url, "application/protobuf").await? else {
            return Ok(None);
        };
        if answer.content_type().contains("json") {
            return answer.trace(id).map(Some);
        }
        let mut read = ReadTrace::default();
        let mut fields = otlp::wire::Fields::of(&answer.body);
        while let Some(field) = fields.read().map_err(|wrong| answer.unreadable(wrong))? {
            match (field.number, &field.payload) {
                (TRACE, otlp::wire::Payload::Bytes(trace)) => {
                    let decoded = trace::otlp::from_protobuf(trace)
                        .map_err(|error| answer.unreadable(error))?;
                    read.spans
                        .extend(decoded.spans.into_iter().filter(|span| span.trace_id == id));
                }
                (STATUS, otlp::wire::Payload::Varint(status)) => read.is_partial = *status != 0,
                (MESSAGE, otlp::wire::Payload::Bytes(said)) => {
                    read.notes.push(String::from_utf8_lossy(said).into_owned());
                }
                _ => {}
            }
        }
        Ok((!read.spans.is_empty()).then_some(read))
    }

    fn searches(&self) -> &[Criterion] {
        &Criterion::ALL
    }

    async fn search(&self, query: &Query) -> Result<Vec<TraceId>, ReadError> {
        let mut url = at(&self.url, "/api/search");
        url.query_pairs_mut()
            .append_pair("q", &trace_ql(query))
            .append_pair("limit", &query.limit.to_string());
        if let Some((from, to)) = query.time_ns {
            const SECOND: u64 = 1_000_000_000;
            url.query_pairs_mut()
                .append_pair("start", &(from / SECOND).to_string())
                .append_pair("end", &to.div_ceil(SECOND).to_string());
        }
        let Some(answer) = find(&self.client, url, "application/json").await? else {
            return Ok(Vec::new());
        };
        let json = answer.json()?;
        let ids = json["traces"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|trace| {
                let id = trace["traceID"].as_str().unwrap_or_default();
                // It leaves leading zeros out.
                TraceId::from_short(id)
                    .map_err(|error| answer.unreadable(format!("{id:?}: {error}")))
            });
        ids.collect()
    }
}

/// The query in TraceQL: one span fulfils everything.
fn trace_ql(query: &Query) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let time = |time: Duration| format!("{}us", time.as_micros());
    let mut conditions = Vec::new();
    if let Some(service) = &query.service {
        conditions.push(format!("resource.service.name = {}", quoted(service)));
    }
    if let Some(name) = &query.name {
        conditions.push(format!("name = {}", quoted(name)));
    }
    if let Some((key, value)) = &query.attribute {
        conditions.push(format!("span.{key} = {}", quoted(value)));
    }
    if let Some(least) = query.min_duration {
        conditions.push(format!("duration >= {}", time(least)));
    }
    if let Some(most) = query.max_duration {
        conditions.push(format!("duration <= {}", time(most)));
    }
    format!("{{ {} }}", conditions.join(" && "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_one_of_trace_ql() {
        let query = Query {
            service: Some("shop \"1\"".to_owned()),
            attribute: Some(("order.id".to_owned(), "o-1".to_owned())),
            min_duration: Some(Duration::from_millis(20)),
            ..Query::default()
        };
        assert_eq!(
            trace_ql(&query),
            r#"{ resource.service.name = "shop \"1\"" && span.order.id = "o-1" && duration >= 20000us }"#
        );
        assert_eq!(trace_ql(&Query::default()), "{  }");
    }
}
