//! Converts spans to OTLP's messages.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::Arc,
};

use ::otlp::JsonPieces;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value},
    resource::v1::Resource as ProtoResource,
    trace::v1 as proto,
};
use prost::Message as _;

use crate::{Attributes, Event, Kind, Link, Resource, Scope, Span, Status, StatusCode, Value};

/// Encodes the spans as an `ExportTraceServiceRequest`.
pub fn to_protobuf<'a>(spans: impl IntoIterator<Item = &'a Span>) -> Vec<u8> {
    to_request(spans).encode_to_vec()
}

/// Encodes a span alone, as it stands in a `ScopeSpans`.
pub fn span_to_protobuf(span: &Span) -> Vec<u8> {
    to_span(span).encode_to_vec()
}

/// Converts the spans to an OTLP/JSON document, grouped as in [`to_request`]. Fields with default values are
/// left out.
pub fn to_json<'a>(spans: impl IntoIterator<Item = &'a Span>) -> String {
    let mut out = Vec::new();
    // Memory takes all that is written to it.
    let _ = write_json(spans, &mut out);
    // All that is written is JSON of valid texts.
    String::from_utf8(out)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Writes the document of [`to_json`]. No more than some spans of it are in memory.
///
/// # Errors
///
/// When `to` cannot be written.
pub fn write_json<'a>(
    spans: impl IntoIterator<Item = &'a Span>,
    to: &mut dyn io::Write,
) -> io::Result<()> {
    let mut groups = Groups::default();
    let mut of_group: BTreeMap<(usize, usize), Vec<&Span>> = BTreeMap::new();
    for span in spans {
        of_group.entry(groups.of(span)).or_default().push(span);
    }
    let (mut pieces, mut out) = (JsonPieces::default(), Vec::new());
    let mut before = None;
    for ((resource, scope), spans) in of_group {
        let of_resource = &groups.all[resource];
        if before.replace(resource) != Some(resource) {
            let without_scopes = proto::ResourceSpans {
                resource: of_resource.resource.clone(),
                scope_spans: Vec::new(),
                schema_url: of_resource.schema_url.clone(),
            };
            pieces.resource(&without_scopes.encode_to_vec(), &mut out);
        }
        pieces.scope(&of_resource.scope_spans[scope].encode_to_vec(), &mut out);
        for span in spans {
            pieces.span(&span_to_protobuf(span), &mut out);
            if out.len() >= AT_ONCE {
                to.write_all(&out)?;
                out.clear();
            }
        }
    }
    pieces.end(&mut out);
    to.write_all(&out)
}

/// The number of bytes that are written at once.
const AT_ONCE: usize = 256 << 10;

/// Converts the spans to a request, grouped by resource and scope. Groups, and the spans in each, keep their
/// order.
pub fn to_request<'a>(spans: impl IntoIterator<Item = &'a Span>) -> ExportTraceServiceRequest {
    let mut groups = Groups::default();
    for span in spans {
        let (resource, scope) = groups.of(span);
        groups.all[resource].scope_spans[scope]
            .spans
            .push(to_span(span));
    }
    ExportTraceServiceRequest {
        resource_spans: groups.all,
    }
}

/// Groups of spans, by the content of their resource and scope.
///
/// The keys are encoded messages, since a resource may hold a `NaN`, which equals nothing. Spans that share
/// one resource and scope (nearly all) are found by the addresses, without encoding.
#[derive(Default)]
struct Groups {
    all: Vec<proto::ResourceSpans>,
    places: HashMap<(*const Resource, *const Scope), (usize, usize)>,
    resources: HashMap<Vec<u8>, usize>,
    scopes: HashMap<(usize, Vec<u8>), usize>,
}

impl Groups {
    /// The places of its resource, and of its scope in that.
    fn of(&mut self, span: &Span) -> (usize, usize) {
        let addresses = (Arc::as_ptr(&span.resource), Arc::as_ptr(&span.scope));
        match self.places.get(&addresses) {
            Some(&places) => places,
            None => {
                let places = self.place(span);
                self.places.insert(addresses, places);
                places
            }
        }
    }

    fn place(&mut self, span: &Span) -> (usize, usize) {
        let in_resource = to_resource(&span.resource);
        let resource = *self
            .resources
            .entry(in_resource.encode_to_vec())
            .or_insert_with(|| {
                self.all.push(in_resource);
                self.all.len() - 1
            });
        let in_scope = to_scope(&span.scope);
        let scopes = &mut self.all[resource].scope_spans;
        let scope = *self
            .scopes
            .entry((resource, in_scope.encode_to_vec()))
            .or_insert_with(|| {
                scopes.push(in_scope);
                scopes.len() - 1
            });
        (resource, scope)
    }
}

fn to_span(span: &Span) -> proto::Span {
    proto::Span {
        trace_id: span.trace_id.as_bytes().to_vec(),
        span_id: span.span_id.as_bytes().to_vec(),
        trace_state: span.trace_state.to_string(),
        parent_span_id: span
            .parent_span_id
            .map(|id| id.as_bytes().to_vec())
            .unwrap_or_default(),
        flags: span.flags,
        name: span.name.to_string(),
        kind: to_kind(span.kind),
        start_time_unix_nano: span.start_ns,
        end_time_unix_nano: span.end_ns,
        attributes: to_attributes(&span.attributes),
        dropped_attributes_count: span.dropped_attributes,
        events: span.events.iter().map(to_event).collect(),
        dropped_events_count: span.dropped_events,
        links: span.links.iter().map(to_link).collect(),
        dropped_links_count: span.dropped_links,
        status: to_status(&span.status),
    }
}

fn to_event(event: &Event) -> proto::span::Event {
    proto::span::Event {
        time_unix_nano: event.time_ns,
        name: event.name.to_string(),
        attributes: to_attributes(&event.attributes),
        dropped_attributes_count: event.dropped_attributes,
    }
}

fn to_link(link: &Link) -> proto::span::Link {
    proto::span::Link {
        trace_id: link.trace_id.as_bytes().to_vec(),
        span_id: link.span_id.as_bytes().to_vec(),
        trace_state: link.trace_state.to_string(),
        attributes: to_attributes(&link.attributes),
        dropped_attributes_count: link.dropped_attributes,
        flags: link.flags,
    }
}

fn to_kind(kind: Kind) -> i32 {
    use proto::span::SpanKind;
    let known = match kind {
        Kind::Unspecified => SpanKind::Unspecified,
        Kind::Internal => SpanKind::Internal,
        Kind::Server => SpanKind::Server,
        Kind::Client => SpanKind::Client,
        Kind::Producer => SpanKind::Producer,
        Kind::Consumer => SpanKind::Consumer,
        Kind::Unknown(number) => return number,
    };
    known.into()
}

/// Converts a status. An unset status without a message is left out, as the SDKs do.
fn to_status(status: &Status) -> Option<proto::Status> {
    use proto::status::StatusCode as Code;
    let code = match status.code {
        StatusCode::Unset if status.message.is_empty() => return None,
        StatusCode::Unset => Code::Unset.into(),
        StatusCode::Ok => Code::Ok.into(),
        StatusCode::Error => Code::Error.into(),
        StatusCode::Unknown(number) => number,
    };
    Some(proto::Status {
        message: status.message.to_string(),
        code,
    })
}

fn to_resource(resource: &Resource) -> proto::ResourceSpans {
    proto::ResourceSpans {
        resource: Some(ProtoResource {
            attributes: to_attributes(&resource.attributes),
            dropped_attributes_count: resource.dropped_attributes,
            entity_refs: Vec::new(),
        }),
        scope_spans: Vec::new(),
        schema_url: resource.schema_url.clone(),
    }
}

fn to_scope(scope: &Scope) -> proto::ScopeSpans {
    proto::ScopeSpans {
        scope: Some(InstrumentationScope {
            name: scope.name.clone(),
            version: scope.version.clone(),
            attributes: to_attributes(&scope.attributes),
            dropped_attributes_count: scope.dropped_attributes,
        }),
        spans: Vec::new(),
        schema_url: scope.schema_url.clone(),
    }
}

fn to_attributes(attributes: &Attributes) -> Vec<KeyValue> {
    attributes
        .iter()
        .map(|(key, value)| KeyValue {
            key: key.to_owned(),
            value: Some(to_value(value)),
            key_strindex: 0,
        })
        .collect()
}

fn to_value(value: &Value) -> AnyValue {
    let value = match value {
        Value::Empty => None,
        Value::String(text) => Some(any_value::Value::StringValue(text.to_string())),
        Value::Bool(truth) => Some(any_value::Value::BoolValue(*truth)),
        Value::Int(number) => Some(any_value::Value::IntValue(*number)),
        Value::Double(number) => Some(any_value::Value::DoubleValue(*number)),
        Value::Bytes(bytes) => Some(any_value::Value::BytesValue(bytes.clone())),
        Value::Array(values) => Some(any_value::Value::ArrayValue(ArrayValue {
            values: values.iter().map(to_value).collect(),
        })),
        Value::Map(map) => Some(any_value::Value::KvlistValue(KeyValueList {
            values: to_attributes(map),
        })),
    };
    AnyValue { value }
}
