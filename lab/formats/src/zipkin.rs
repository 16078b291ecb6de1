//! Zipkin's JSON v2, as downloaded from its page, returned by its API and sent by reporters.
//!
//! It holds less than OTLP: times are whole microseconds, every tag is text, and the status, the scope and
//! the links of an OpenTelemetry span are tags, which [`otel`] reads. Two of its features do not exist in
//! OTLP: a span may have no time, and a server's span may share the id of its client's span, which [`shared`]
//! separates. A span may also come in pieces, which [`pieces`] joins.

mod otel;
mod pieces;
mod shared;

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value as Json};

use self::otel::Tags;
use trace::{Attributes, Event, Fidelity, Kind, Resource, Span, SpanId, TraceId, Value};

/// A span as Zipkin writes it (Zipkin API v2, `Span`). Any field except the ids may be missing or null.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ZipkinSpan {
    #[serde(deserialize_with = "trace_id")]
    trace_id: TraceId,
    #[serde(deserialize_with = "span_id")]
    id: SpanId,
    #[serde(default, deserialize_with = "parent_id")]
    parent_id: Option<SpanId>,
    name: Option<String>,
    kind: Option<ZipkinKind>,
    /// Microseconds since the Unix epoch.
    #[serde(default, deserialize_with = "microseconds")]
    timestamp: Option<u64>,
    #[serde(default, deserialize_with = "microseconds")]
    duration: Option<u64>,
    local_endpoint: Option<Endpoint>,
    remote_endpoint: Option<Endpoint>,
    annotations: Option<Vec<Annotation>>,
    tags: Option<Map<String, Json>>,
    shared: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum ZipkinKind {
    Client,
    Server,
    Producer,
    Consumer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    service_name: Option<String>,
    ipv4: Option<String>,
    ipv6: Option<String>,
    port: Option<u16>,
}

#[derive(Deserialize)]
struct Annotation {
    /// Microseconds since the Unix epoch.
    #[serde(default, deserialize_with = "microseconds")]
    timestamp: Option<u64>,
    value: String,
}

/// Whether a document looks like Zipkin's: an array of spans, or of arrays of them.
pub(crate) fn is_one(json: &Json) -> bool {
    let Some(items) = json.as_array() else {
        return false;
    };
    let without_spans = items.iter().all(Json::is_array) && each(items).next().is_none();
    without_spans || each(items).any(|span| span.get("traceId").is_some())
}

/// Reads the spans of a document. A span that cannot be used is told to `left_out`, with its place; an error
/// says why the whole document cannot be used.
pub(crate) fn read(
    json: &Json,
    left_out: &mut impl FnMut(String),
) -> Result<Vec<ZipkinSpan>, String> {
    let items = json.as_array().map_or(&[][..], Vec::as_slice);
    if each(items).any(is_version_1) {
        return Err(
            "it is of version 1 (its spans have \"binaryAnnotations\", or endpoints in \
             their annotations); Zipkin answers with version 2 below /api/v2"
                .to_owned(),
        );
    }
    let mut spans = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let place = format!("[{at}]");
        match item {
            Json::Array(trace) => {
                for (at, span) in trace.iter().enumerate() {
                    one(span, || format!("{place}[{at}]"), &mut spans, left_out);
                }
            }
            span => one(span, || place.clone(), &mut spans, left_out),
        }
    }
    Ok(spans)
}

fn one(
    json: &Json,
    place: impl Fn() -> String,
    spans: &mut Vec<ZipkinSpan>,
    left_out: &mut impl FnMut(String),
) {
    match serde_path_to_error::deserialize::<_, ZipkinSpan>(json) {
        Ok(span) => spans.push(span),
        Err(error) => {
            let path = error.path().to_string();
            let path = match path.as_str() {
                "." => String::new(),
                path => format!(".{path}"),
            };
            left_out(format!("{}{path}: {}", place(), error.inner()));
        }
    }
}

/// Converts these spans: each gets a unique id, a time and a service.
pub(crate) fn into_spans(spans: Vec<ZipkinSpan>) -> Vec<Span> {
    let mut spans = pieces::join(spans);
    shared::part(&mut spans);
    let mut earliest: HashMap<TraceId, u64> = HashMap::new();
    for span in &spans {
        if let Some(start) = span.start() {
            let earliest = earliest.entry(span.trace_id).or_insert(start);
            *earliest = start.min(*earliest);
        }
    }
    let mut resources = Resources::default();
    let mut into_span = |span: ZipkinSpan| {
        // A span without a time starts at the start of its trace, not in 1970.
        let start = span.start().or(earliest.get(&span.trace_id).copied());
        let resource = resources.of(span.service());
        span.into_span(start.unwrap_or(0), resource)
    };
    spans.into_iter().map(&mut into_span).collect()
}

// === impl ZipkinSpan ===

impl ZipkinSpan {
    fn service(&self) -> Option<&str> {
        let name = self.local_endpoint.as_ref()?.service_name.as_deref()?;
        (!name.is_empty()).then_some(name)
    }

    /// The start, in microseconds, as far as the span states it.
    fn start(&self) -> Option<u64> {
        let noted = || self.noted().min();
        self.timestamp.filter(|start| *start != 0).or_else(noted)
    }

    /// The times of its annotations.
    fn noted(&self) -> impl Iterator<Item = u64> {
        let annotations = self.annotations.iter().flatten();
        let times = annotations.filter_map(|annotation| annotation.timestamp);
        times.filter(|time| *time != 0)
    }

    fn into_span(self, start: u64, resource: Arc<Resource>) -> Span {
        let end = match self.duration {
            Some(duration) => start.saturating_add(duration),
            None => self.noted().max().unwrap_or(start).max(start),
        };
        let mut tags = Tags::of(self.tags.unwrap_or_default());
        let kind = match self.kind {
            Some(ZipkinKind::Client) => Kind::Client,
            Some(ZipkinKind::Server) => Kind::Server,
            Some(ZipkinKind::Producer) => Kind::Producer,
            Some(ZipkinKind::Consumer) => Kind::Consumer,
            None => tags.take_kind().unwrap_or(Kind::Internal),
        };
        let events = self.annotations.unwrap_or_default().into_iter();
        let events = events
            .map(|annotation| {
                let time = annotation.timestamp.unwrap_or(start);
                Event {
                    time_ns: nanoseconds(time),
                    ..otel::event(&annotation.value)
                }
            })
            .collect();
        let status = tags.take_status();
        let scope = Arc::new(tags.take_scope());
        let links = tags.take_links();
        let trace_state = tags.take("w3c.tracestate").unwrap_or_default();
        let dropped_attributes = tags.take_count("otel.dropped_attributes_count");
        let dropped_events = tags.take_count("otel.dropped_events_count");
        let dropped_links = tags.take_count("otel.dropped_links_count");
        let mut attributes = tags.0;
        if let Some(remote) = self.remote_endpoint {
            add_remote(&mut attributes, kind, remote);
        }
        if let Some(query) = attributes.get("sql.query").cloned() {
            add(&mut attributes, "db.query.text", query);
        }
        Span {
            trace_id: self.trace_id,
            span_id: self.id,
            parent_span_id: self.parent_id,
            trace_state: trace_state.into(),
            flags: 0,
            name: self.name.unwrap_or_default().into(),
            kind,
            start_ns: nanoseconds(start),
            end_ns: nanoseconds(end),
            attributes,
            dropped_attributes,
            events,
            dropped_events,
            links,
            dropped_links,
            status,
            resource,
            scope,
            fidelity: Fidelity::Text,
        }
    }
}

/// Adds the other side of a call, by the names of OpenTelemetry's conventions, unless a tag has the same
/// information. For a server the other side is a client.
fn add_remote(attributes: &mut Attributes, kind: Kind, remote: Endpoint) {
    let (address, port) = match kind {
        Kind::Server => ("client.address", "client.port"),
        _ => ("server.address", "server.port"),
    };
    let text = |text: Option<String>| text.filter(|text| !text.is_empty());
    if let Some(name) = text(remote.service_name) {
        add(attributes, "service.peer.name", Value::from(name));
    }
    if let Some(ip) = text(remote.ipv4).or(text(remote.ipv6)) {
        add(attributes, address, Value::from(ip));
    }
    if let Some(number) = remote.port.filter(|port| *port != 0) {
        add(attributes, port, Value::Int(number.into()));
    }
}

fn add(attributes: &mut Attributes, key: &str, value: Value) {
    if attributes.get(key).is_none() {
        attributes.0.push((key.into(), value));
    }
}

/// The resources of a file, each once.
#[derive(Default)]
struct Resources(HashMap<Option<String>, Arc<Resource>>);

// === impl Resources ===

impl Resources {
    fn of(&mut self, service: Option<&str>) -> Arc<Resource> {
        let make = || {
            Arc::new(Resource {
                attributes: service
                    .map(|name| ("service.name", name))
                    .into_iter()
                    .collect(),
                ..Resource::default()
            })
        };
        let service = service.map(str::to_owned);
        self.0.entry(service).or_insert_with(make).clone()
    }
}

/// The spans of an array, or of the arrays in it.
fn each(items: &[Json]) -> impl Iterator<Item = &Json> {
    items.iter().flat_map(|item| match item {
        Json::Array(spans) => spans.as_slice(),
        span => std::slice::from_ref(span),
    })
}

fn is_version_1(span: &Json) -> bool {
    let annotations = span["annotations"].as_array();
    let mut annotations = annotations.into_iter().flatten();
    span.get("binaryAnnotations").is_some() || annotations.any(|one| one.get("endpoint").is_some())
}

fn nanoseconds(microseconds: u64) -> u64 {
    microseconds.saturating_mul(1_000)
}

/// Parses a trace id. An id of 64 bits is extended to 128 bits with leading zeros.
fn trace_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TraceId, D::Error> {
    let text = String::deserialize(deserializer)?;
    TraceId::from_short(&text).map_err(|error| D::Error::custom(format!("{text:?}: {error}")))
}

fn span_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SpanId, D::Error> {
    let text = String::deserialize(deserializer)?;
    SpanId::from_short(&text).map_err(|error| D::Error::custom(format!("{text:?}: {error}")))
}

/// Parses a parent id. An empty text and zeros mean no parent.
fn parent_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SpanId>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(text) if text.bytes().any(|digit| digit != b'0') => SpanId::from_short(&text)
            .map(Some)
            .map_err(|error| D::Error::custom(format!("{text:?}: {error}"))),
        _ => Ok(None),
    }
}

/// Parses microseconds. Some reporters write a whole number with a decimal point, or as text.
fn microseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let json = Json::deserialize(deserializer)?;
    let number = match &json {
        Json::Null => return Ok(None),
        Json::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(whole)),
        Json::String(text) => text.parse().ok(),
        _ => None,
    };
    let wrong = || format!("a whole number of microseconds is needed, not {json}");
    number.map(Some).ok_or_else(|| D::Error::custom(wrong()))
}

/// Converts a whole number. A number that is too large becomes the largest.
fn whole(number: f64) -> Option<u64> {
    (number >= 0.0 && number.fract() == 0.0).then_some(number as u64)
}
