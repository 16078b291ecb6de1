//! Zipkin, by its API v2.

use async_trait::async_trait;
use reqwest::{Client, Url};
use serde_json::Value as Json;
use trace::TraceId;

use super::{
    answer::{at, find, get},
    jaeger::ids_of_spans,
    looks::recognize,
};
use crate::{
    loss::{Field, How},
    reader::{Criterion, Identity, Query, ReadError, ReadTrace, Reader, Representation},
};

/// Zipkin's API v2.
#[derive(Debug)]
pub(super) struct Zipkin {
    url: Url,
    client: Client,
}

/// What Zipkin's JSON has no place for.
const REPRESENTATION: Representation = Representation::without(
    &[
        (Field::Start, Some(How::CutToMicroseconds)),
        (Field::Start, Some(How::RoundedToMicroseconds)),
        (Field::End, Some(How::CutToMicroseconds)),
        (Field::End, Some(How::RoundedToMicroseconds)),
        (Field::EventTime, Some(How::CutToMicroseconds)),
        (Field::Attribute, Some(How::AsText)),
        (Field::EventAttribute, Some(How::AsText)),
        (Field::LinkAttribute, Some(How::AsText)),
        (Field::ResourceAttribute, Some(How::Moved)),
        (Field::ScopeAttribute, Some(How::Moved)),
        (Field::Flags, None),
        (Field::LinkFlags, None),
        (Field::DroppedAttributes, None),
        (Field::DroppedEvents, None),
        (Field::DroppedLinks, None),
        (Field::ResourceDropped, None),
        (Field::ResourceSchemaUrl, None),
        (Field::ScopeDropped, None),
        (Field::ScopeSchemaUrl, None),
    ],
    &[
        "times are whole microseconds",
        "every value is a text",
        "what a resource and a scope have stands among the tags of each span",
        "flags, counts of what was dropped and schema URLs have no place",
    ],
);

// === impl Zipkin ===

impl Zipkin {
    pub(super) fn new(url: Url, client: Client) -> Zipkin {
        // As its page has it.
        let url = match url.path() {
            "/zipkin" | "/zipkin/" => at(&url, ""),
            _ => url,
        };
        Zipkin { url, client }
    }
}

#[async_trait]
impl Reader for Zipkin {
    fn kind(&self) -> &str {
        "zipkin"
    }

    fn representation(&self) -> Representation {
        REPRESENTATION
    }

    async fn identify(&self) -> Result<Identity, ReadError> {
        recognize(
            &self.client,
            &self.url,
            "/api/v2/services",
            "Zipkin",
            Json::is_array,
        )
        .await?;
        Ok(Identity {
            name: "Zipkin".to_owned(),
            version: self.version().await,
        })
    }

    async fn trace(&self, id: TraceId) -> Result<Option<ReadTrace>, ReadError> {
        let url = at(&self.url, &format!("/api/v2/trace/{id}"));
        let Some(answer) = find(&self.client, url, "application/json").await? else {
            return Ok(None);
        };
        let read = answer.trace(id)?;
        Ok((!read.spans.is_empty()).then_some(read))
    }

    fn searches(&self) -> &[Criterion] {
        &Criterion::ALL
    }

    async fn search(&self, query: &Query) -> Result<Vec<TraceId>, ReadError> {
        let mut url = at(&self.url, "/api/v2/traces");
        {
            let mut pairs = url.query_pairs_mut();
            pairs.append_pair("limit", &query.limit.to_string());
            if let Some(service) = &query.service {
                pairs.append_pair("serviceName", &service.to_lowercase());
            }
            if let Some(name) = &query.name {
                pairs.append_pair("spanName", &name.to_lowercase());
            }
            if let Some((key, value)) = &query.attribute {
                pairs.append_pair("annotationQuery", &format!("{key}={value}"));
            }
            if let Some(least) = query.min_duration {
                pairs.append_pair("minDuration", &least.as_micros().to_string());
            }
            if let Some(most) = query.max_duration {
                pairs.append_pair("maxDuration", &most.as_micros().to_string());
            }
            if let Some((from, to)) = query.time_ns {
                let (from, to) = (from / 1_000_000, to.div_ceil(1_000_000));
                pairs
                    .append_pair("endTs", &to.to_string())
                    .append_pair("lookback", &(to - from).max(1).to_string());
            }
        }
        let Some(answer) = find(&self.client, url, "application/json").await? else {
            return Ok(Vec::new());
        };
        ids_of_spans(&answer.body).map_err(|why| answer.unreadable(why))
    }
}

impl Zipkin {
    async fn version(&self) -> Option<String> {
        let info = get(&self.client, at(&self.url, "/info"), "application/json")
            .await
            .ok()?;
        let json = info.json().ok()?;
        Some(json["zipkin"]["version"].as_str()?.to_owned())
    }
}
