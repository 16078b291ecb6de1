//! Jaeger's JSON, as downloaded from its page and returned by its query API (v1).
//!
//! It holds less than OTLP: times are whole microseconds; the kind, the status and the scope are tags; arrays
//! are JSON in a string; a link has no attributes. Data that it cannot hold is unknown, which is not the same
//! as absent: a link shows this by its count of dropped attributes.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use serde::Deserialize;
use serde_json::Value as Json;

use trace::{
    Attributes, Event, Fidelity, Kind, Link, Resource, Scope, Span, SpanId, Status, StatusCode,
    Text, TraceId, Value,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JaegerSpan {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
    operation_name: String,
    #[serde(default, deserialize_with = "or_none")]
    references: Vec<Reference>,
    #[serde(default, rename = "parentSpanID")]
    parent_span_id: Option<String>,
    /// Microseconds since the Unix epoch.
    start_time: u64,
    /// Microseconds.
    duration: u64,
    #[serde(default, deserialize_with = "or_none")]
    tags: Vec<Tag>,
    #[serde(default, deserialize_with = "or_none")]
    logs: Vec<Log>,
    #[serde(default, rename = "processID")]
    process_id: Option<String>,
    #[serde(default)]
    process: Option<Process>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    ref_type: String,
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    service_name: String,
    #[serde(default, deserialize_with = "or_none")]
    tags: Vec<Tag>,
}

#[derive(Clone, Deserialize)]
struct Tag {
    key: String,
    #[serde(default, rename = "type")]
    kind: String,
    value: Json,
}

#[derive(Deserialize)]
struct Log {
    timestamp: u64,
    #[serde(default, deserialize_with = "or_none")]
    fields: Vec<Tag>,
}

/// Whether a document looks like Jaeger's: an answer with `data`, or one trace of it.
pub(crate) fn is_one(json: &Json) -> bool {
    let is_trace = |trace: &Json| trace["spans"].is_array() && trace.get("scope").is_none();
    match &json["data"] {
        Json::Array(traces) => !traces.is_empty() && traces.iter().all(is_trace),
        Json::Object(_) => is_trace(&json["data"]),
        _ => is_trace(json) && (json.get("traceID").is_some() || json.get("processes").is_some()),
    }
}

/// Reads the spans of a document. A span that cannot be used is told to `left_out`, with its place.
pub(crate) fn read(json: &Json, mut left_out: impl FnMut(String)) -> Vec<Span> {
    let data = json.get("data").unwrap_or(json);
    let traces = match data {
        Json::Array(traces) => traces.as_slice(),
        trace => std::slice::from_ref(trace),
    };
    let mut spans = Vec::new();
    for (at, trace) in traces.iter().enumerate() {
        let processes = &trace["processes"];
        for (index, span) in trace["spans"].as_array().into_iter().flatten().enumerate() {
            match one(span, processes) {
                Ok(span) => spans.push(span),
                Err(problem) if data.is_array() => {
                    left_out(format!("data[{at}].spans[{index}]: {problem}"));
                }
                Err(problem) => left_out(format!("spans[{index}]: {problem}")),
            }
        }
    }
    spans
}

fn one(span: &Json, processes: &Json) -> Result<Span, String> {
    let mut span = JaegerSpan::deserialize(span).map_err(|error| error.to_string())?;
    let own = span.process.take();
    let named = span.process_id.as_deref();
    let named = named.and_then(|name| Process::deserialize(&processes[name]).ok());
    let process = own
        .or(named)
        .ok_or("it names a process that is not there")?;
    span.into_span(process)
}

/// Reads a field that may be null, which is as good as absent.
fn or_none<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

// === impl JaegerSpan ===

impl JaegerSpan {
    fn into_span(self, process: Process) -> Result<Span, String> {
        let trace_id = trace_id(&self.trace_id)?;
        let own_id = span_id(&self.span_id)?;
        let mut parent = match &self.parent_span_id {
            Some(id) if !is_none(id) => Some(span_id(id)?),
            _ => None,
        };
        let mut links = Vec::new();
        let mut following = Vec::new();
        for reference in &self.references {
            // A tracer that has no parent may write a reference of zeros.
            if is_none(&reference.trace_id) || is_none(&reference.span_id) {
                continue;
            }
            let target = (
                self::trace_id(&reference.trace_id)?,
                span_id(&reference.span_id)?,
            );
            // The first `CHILD_OF` reference to the same trace is the parent.
            if reference.ref_type == "CHILD_OF" && target.0 == trace_id && parent.is_none() {
                parent = Some(target.1);
                continue;
            }
            if Some(target.1) == parent && reference.ref_type == "CHILD_OF" {
                continue;
            }
            if target.0 == trace_id {
                following.push(target.1);
            }
            links.push(Link {
                trace_id: target.0,
                span_id: target.1,
                trace_state: Text::default(),
                flags: 0,
                attributes: Attributes::default(),
                // Jaeger does not keep them, so it is unknown whether there were any.
                dropped_attributes: 1,
            });
        }
        // Of a parent that is linked to as well, as by consumers of messages, Jaeger keeps the link alone.
        if let (None, [only]) = (parent, &following[..]) {
            parent = Some(*only);
        }
        let mut tags = Tags::of(self.tags);
        let kind = match tags.take("span.kind").as_deref() {
            Some("server") => Kind::Server,
            Some("client") => Kind::Client,
            Some("producer") => Kind::Producer,
            Some("consumer") => Kind::Consumer,
            Some("internal") => Kind::Internal,
            _ => Kind::Unspecified,
        };
        let error = tags.take_true("error");
        let code = match tags.take("otel.status_code").as_deref() {
            Some("ERROR") => StatusCode::Error,
            Some("OK") => StatusCode::Ok,
            _ if error => StatusCode::Error,
            _ => StatusCode::Unset,
        };
        let message = tags.take("otel.status_description").unwrap_or_default();
        let trace_state = tags.take("w3c.tracestate").unwrap_or_default();
        let library = |tags: &mut Tags, new: &str, old: &str| {
            tags.take(new)
                .or_else(|| tags.take(old))
                .unwrap_or_default()
        };
        let scope = Scope {
            name: library(&mut tags, "otel.scope.name", "otel.library.name"),
            version: library(&mut tags, "otel.scope.version", "otel.library.version"),
            ..Scope::default()
        };
        let mut of_resource = vec![("service.name".into(), Value::from(process.service_name))];
        of_resource.extend(Tags::of(process.tags).0);
        let start_ns = self.start_time.saturating_mul(1_000);
        Ok(Span {
            trace_id,
            span_id: own_id,
            parent_span_id: parent,
            trace_state: trace_state.into(),
            flags: 0,
            name: self.operation_name.into(),
            kind,
            start_ns,
            end_ns: start_ns.saturating_add(self.duration.saturating_mul(1_000)),
            attributes: Attributes(tags.0),
            dropped_attributes: 0,
            events: self.logs.into_iter().map(Log::into_event).collect(),
            dropped_events: 0,
            links,
            dropped_links: 0,
            status: Status {
                code,
                message: message.into(),
            },
            resource: Arc::new(Resource {
                attributes: Attributes(of_resource),
                ..Resource::default()
            }),
            scope: Arc::new(scope),
            fidelity: Fidelity::Exact,
        })
    }
}

// === impl Log ===

impl Log {
    fn into_event(self) -> Event {
        let mut fields = Tags::of(self.fields);
        Event {
            time_ns: self.timestamp.saturating_mul(1_000),
            name: fields.take("event").unwrap_or_default().into(),
            attributes: Attributes(fields.0),
            dropped_attributes: 0,
        }
    }
}

/// Tags as attributes, without the tags that Jaeger adds.
struct Tags(Vec<(Text, Value)>);

// === impl Tags ===

impl Tags {
    fn of(tags: Vec<Tag>) -> Tags {
        let attributes = tags.into_iter().map(|tag| {
            let value = tag.value();
            (Text::from(tag.key), value)
        });
        Tags(attributes.collect())
    }

    /// Removes a tag that is not an attribute, and returns its text.
    fn take(&mut self, key: &str) -> Option<String> {
        let is_it = |(name, value): &(Text, Value)| name == key && value.as_str().is_some();
        let place = self.0.iter().position(is_it)?;
        match self.0.remove(place).1 {
            Value::String(text) => Some(text.into()),
            _ => None,
        }
    }

    fn take_true(&mut self, key: &str) -> bool {
        let yes = |value: &Value| *value == Value::Bool(true) || value.as_str() == Some("true");
        let place = self
            .0
            .iter()
            .position(|(name, value)| name == key && yes(value));
        place.map(|place| self.0.remove(place)).is_some()
    }
}

// === impl Tag ===

impl Tag {
    fn value(&self) -> Value {
        let text = || self.value.as_str();
        match (self.kind.as_str(), &self.value) {
            ("int64", Json::Number(number)) => number.as_i64().map(Value::Int),
            ("int64", _) => text().and_then(|text| text.parse().ok()).map(Value::Int),
            ("float64", Json::Number(number)) => number.as_f64().map(Value::Double),
            ("float64", _) => text().and_then(|text| text.parse().ok()).map(Value::Double),
            ("bool", Json::Bool(truth)) => Some(Value::Bool(*truth)),
            ("bool", _) => text().map(|text| Value::Bool(text == "true")),
            ("binary", _) => text()
                .and_then(|text| BASE64.decode(text).ok())
                .map(Value::Bytes),
            (_, Json::String(text)) => Some(Value::from(text.as_str())),
            (_, Json::Bool(truth)) => Some(Value::Bool(*truth)),
            (_, Json::Number(number)) => number
                .as_i64()
                .map(Value::Int)
                .or_else(|| number.as_f64().map(Value::Double)),
            _ => None,
        }
        .unwrap_or_else(|| Value::from(self.value.to_string()))
    }
}

/// Whether a text stands for "no id".
fn is_none(id: &str) -> bool {
    id.bytes().all(|digit| digit == b'0')
}

/// Parses a trace id. Jaeger omits leading zeros.
fn trace_id(text: &str) -> Result<TraceId, String> {
    TraceId::from_short(text).map_err(|error| format!("trace id {text:?}: {error}"))
}

fn span_id(text: &str) -> Result<SpanId, String> {
    SpanId::from_short(text).map_err(|error| format!("span id {text:?}: {error}"))
}
