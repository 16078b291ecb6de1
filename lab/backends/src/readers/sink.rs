//! The lab's own sink, by the lab's HTTP API. It is asked for the protobuf that came.

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{Client, Url};
use serde_json::Value as Json;
use trace::TraceId;

use super::{
    answer::{at, find, get},
    looks::recognize,
};
use crate::reader::{Criterion, Identity, Query, ReadError, ReadTrace, Reader, Representation};

/// A lab's HTTP API.
#[derive(Debug)]
pub(super) struct Sink {
    url: Url,
    client: Client,
}

// === impl Sink ===

impl Sink {
    pub(super) fn new(url: Url, client: Client) -> Sink {
        Sink { url, client }
    }
}

#[async_trait]
impl Reader for Sink {
    fn kind(&self) -> &str {
        "sink"
    }

    fn representation(&self) -> Representation {
        Representation::ALL
    }

    async fn identify(&self) -> Result<Identity, ReadError> {
        let is_it = |json: &Json| json["spans"]["received"].is_u64();
        let wanted = "lab of tracelab";
        recognize(&self.client, &self.url, "/api/stats", wanted, is_it).await?;
        Ok(Identity::named("tracelab sink"))
    }

    async fn trace(&self, id: TraceId) -> Result<Option<ReadTrace>, ReadError> {
        let url = at(&self.url, &format!("/api/traces/{id}"));
        let answer = get(&self.client, url, "application/x-protobuf").await?;
        if answer.status.as_u16() == 410 {
            // It was evicted: it will not come back.
            return Err(answer.error());
        }
        let Some(answer) = answer.found()? else {
            return Ok(None);
        };
        let decoded =
            trace::otlp::from_protobuf(&answer.body).map_err(|error| answer.unreadable(error))?;
        let notes = decoded.rejected.iter().map(ToString::to_string).collect();
        Ok(Some(ReadTrace {
            spans: decoded.spans,
            notes,
            is_partial: false,
            protobuf: Some(Bytes::from(answer.body)),
        }))
    }

    fn searches(&self) -> &[Criterion] {
        &[
            Criterion::Service,
            Criterion::Name,
            Criterion::Attribute,
            Criterion::MinDuration,
        ]
    }

    async fn search(&self, query: &Query) -> Result<Vec<TraceId>, ReadError> {
        let mut url = at(&self.url, "/api/traces");
        {
            let mut pairs = url.query_pairs_mut();
            pairs.append_pair("limit", &query.limit.to_string());
            if let Some(service) = &query.service {
                pairs.append_pair("service", service);
            }
            if let Some(name) = &query.name {
                pairs.append_pair("name", name);
            }
            if let Some((key, value)) = &query.attribute {
                pairs.append_pair("attribute", &format!("{key}={value}"));
            }
            if let Some(least) = query.min_duration {
                pairs.append_pair("min_duration", &format!("{}us", least.as_micros()));
            }
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
                let id = trace["trace_id"].as_str().unwrap_or_default();
                id.parse::<TraceId>()
                    .map_err(|error| answer.unreadable(format!("{id:?}: {error}")))
            });
        ids.collect()
    }
}
