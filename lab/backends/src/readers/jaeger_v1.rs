//! Jaeger's JSON API of version 1, which its page uses, and VictoriaTraces' copy of it.

use async_trait::async_trait;
use reqwest::{Client, Url};
use serde_json::Value as Json;
use trace::TraceId;

use super::{
    answer::{at, find},
    jaeger::{ids_of_spans, version_on_page},
    looks::recognize,
};
use crate::{
    loss::{Field, How},
    reader::{Criterion, Identity, Query, ReadError, ReadTrace, Reader, Representation},
};

/// The JSON API of Jaeger 1.
#[derive(Debug)]
pub(super) struct JaegerV1 {
    kind: &'static str,
    name: &'static str,
    url: Url,
    client: Client,
}

/// What Jaeger's JSON has no place for.
const REPRESENTATION: Representation = Representation::without(
    &[
        (Field::Start, Some(How::CutToMicroseconds)),
        (Field::End, Some(How::CutToMicroseconds)),
        (Field::End, Some(How::RoundedToMicroseconds)),
        (Field::EventTime, Some(How::CutToMicroseconds)),
        (Field::Attribute, Some(How::AsText)),
        (Field::EventAttribute, Some(How::AsText)),
        (Field::ResourceAttribute, Some(How::AsText)),
        (Field::Flags, None),
        (Field::DroppedAttributes, None),
        (Field::DroppedEvents, None),
        (Field::DroppedLinks, None),
        (Field::EventDropped, None),
        (Field::LinkDropped, None),
        (Field::LinkAttribute, None),
        (Field::LinkTraceState, None),
        (Field::LinkFlags, None),
        (Field::ResourceDropped, None),
        (Field::ResourceSchemaUrl, None),
        (Field::ScopeAttribute, None),
        (Field::ScopeDropped, None),
        (Field::ScopeSchemaUrl, None),
    ],
    &[
        "times are whole microseconds",
        "arrays and maps are JSON in a text",
        "flags, counts of what was dropped, schema URLs and attributes of scopes and links have no place",
    ],
);

// === impl JaegerV1 ===

impl JaegerV1 {
    pub(super) fn of_jaeger(url: Url, client: Client) -> JaegerV1 {
        JaegerV1 {
            kind: "jaeger-v1",
            name: "Jaeger",
            url,
            client,
        }
    }

    /// VictoriaTraces has the API below a path of its own, which may be in the address already.
    pub(super) fn of_victoria_traces(url: Url, client: Client) -> JaegerV1 {
        let url = match url.path().contains("/select/jaeger") {
            true => url,
            false => at(&url, "/select/jaeger"),
        };
        JaegerV1 {
            kind: "victoriatraces",
            name: "VictoriaTraces",
            url,
            client,
        }
    }
}

#[async_trait]
impl Reader for JaegerV1 {
    fn kind(&self) -> &str {
        self.kind
    }

    fn representation(&self) -> Representation {
        REPRESENTATION
    }

    async fn identify(&self) -> Result<Identity, ReadError> {
        let is_it = |json: &Json| json.get("data").is_some();
        recognize(&self.client, &self.url, "/api/services", self.name, is_it).await?;
        Ok(Identity {
            name: self.name.to_owned(),
            version: version_on_page(&self.client, &self.url).await,
        })
    }

    async fn trace(&self, id: TraceId) -> Result<Option<ReadTrace>, ReadError> {
        let url = at(&self.url, &format!("/api/traces/{id}"));
        let Some(answer) = find(&self.client, url, "application/json").await? else {
            return Ok(None);
        };
        let mut read = answer.trace(id)?;
        for span in &mut read.spans {
            for link in &mut span.links {
                // The reader of files marks each link: what it had besides is unknown. Here that is known.
                link.dropped_attributes = 0;
            }
        }
        Ok((!read.spans.is_empty()).then_some(read))
    }

    fn searches(&self) -> &[Criterion] {
        &Criterion::ALL
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
                pairs.append_pair("operation", name);
            }
            if let Some((key, value)) = &query.attribute {
                let map = serde_json::json!({ key.as_str(): value });
                pairs.append_pair("tags", &map.to_string());
            }
            if let Some(least) = query.min_duration {
                pairs.append_pair("minDuration", &format!("{}us", least.as_micros()));
            }
            if let Some(most) = query.max_duration {
                pairs.append_pair("maxDuration", &format!("{}us", most.as_micros()));
            }
            if let Some((from, to)) = query.time_ns {
                pairs
                    .append_pair("start", &(from / 1_000).to_string())
                    .append_pair("end", &to.div_ceil(1_000).to_string());
            }
        }
        let Some(answer) = find(&self.client, url, "application/json").await? else {
            return Ok(Vec::new());
        };
        let is_empty = |json: &serde_json::Value| json["data"].as_array().is_none_or(Vec::is_empty);
        if is_empty(&answer.json()?) {
            return Ok(Vec::new());
        }
        ids_of_spans(&answer.body).map_err(|why| answer.unreadable(why))
    }
}
