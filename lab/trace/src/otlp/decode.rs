//! Converts OTLP's messages to spans.

use std::{fmt, sync::Arc};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource as ProtoResource,
    trace::v1 as proto,
};
use otlp::{DecodeError, Read};
use thiserror::Error;

use crate::{
    Attributes, Event, Fidelity, Kind, Link, Resource, Scope, Span, SpanId, Status, StatusCode,
    TraceId, Value, id::IdError,
};

/// The content of a request.
#[derive(Clone, Debug, Default)]
pub struct Decoded {
    /// The spans that can be used, in the order in which they were sent.
    pub spans: Vec<Span>,
    /// The spans that cannot be used.
    pub rejected: Vec<Rejected>,
    /// The number of texts in which U+FFFD replaces what is no character ([`otlp::Read::replaced`]).
    pub replaced: usize,
    /// The number of spans in a field that OTLP no longer has ([`otlp::Read::library_spans`]).
    pub library_spans: usize,
}

/// A span that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its index in `resourceSpans`.
    pub resource: usize,
    /// Its index in the `scopeSpans` of this resource.
    pub scope: usize,
    /// Its index in the `spans` of this scope.
    pub span: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a span.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// Its trace id is not valid.
    #[error("traceId: {0}")]
    TraceId(IdError),
    /// Its span id is not valid.
    #[error("spanId: {0}")]
    SpanId(IdError),
    /// Its parent's id is neither absent nor valid.
    #[error("parentSpanId: {0}")]
    ParentSpanId(IdError),
    /// An id of one of its links is not valid.
    #[error("links[{link}].{field}: {problem}")]
    Link {
        /// The index of the link.
        link: usize,
        /// `traceId` or `spanId`.
        field: &'static str,
        /// What is wrong with it.
        problem: IdError,
    },
}

/// Reads the spans of an OTLP/JSON document, `{"resourceSpans": […]}`.
///
/// # Errors
///
/// When the text is not JSON, or a part of it does not follow OTLP.
pub fn from_json(text: &[u8]) -> Result<Decoded, DecodeError> {
    otlp::traces_from_json(text).map(from_read)
}

/// Reads the spans of an encoded `ExportTraceServiceRequest` (or `TracesData`, which is the same on the
/// wire).
///
/// # Errors
///
/// When the bytes are not such a message.
pub fn from_protobuf(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    otlp::traces_from_protobuf(bytes).map(from_read)
}

/// Converts the spans of a request as in [`from_request`], with what its reader had to change.
pub fn from_read(read: Read<ExportTraceServiceRequest>) -> Decoded {
    Decoded {
        replaced: read.replaced,
        library_spans: read.library_spans,
        ..from_request(read.request)
    }
}

/// Converts the spans of a request. Spans of one resource share it.
///
/// An unknown value of an open enum (a kind or a status code of a later OTLP version) is kept. A parent id of zeros means no parent. A link without ids, which SDKs may send, is left out and
/// counted in [`Span::dropped_links`].
pub fn from_request(request: ExportTraceServiceRequest) -> Decoded {
    let mut decoded = Decoded::default();
    for (r, in_resource) in request.resource_spans.into_iter().enumerate() {
        let resource = Arc::new(resource(in_resource.resource, in_resource.schema_url));
        for (s, in_scope) in in_resource.scope_spans.into_iter().enumerate() {
            let scope = Arc::new(scope(in_scope.scope, in_scope.schema_url));
            for (index, proto) in in_scope.spans.into_iter().enumerate() {
                match span(proto, &resource, &scope) {
                    Ok(span) => decoded.spans.push(span),
                    Err(problem) => decoded.rejected.push(Rejected {
                        resource: r,
                        scope: s,
                        span: index,
                        problem,
                    }),
                }
            }
        }
    }
    decoded
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rejected {
            resource,
            scope,
            span,
            problem,
        } = self;
        write!(
            f,
            "resourceSpans[{resource}].scopeSpans[{scope}].spans[{span}].{problem}"
        )
    }
}

fn span(proto: proto::Span, resource: &Arc<Resource>, scope: &Arc<Scope>) -> Result<Span, Problem> {
    let trace_id = TraceId::from_slice(&proto.trace_id).map_err(Problem::TraceId)?;
    let span_id = SpanId::from_slice(&proto.span_id).map_err(Problem::SpanId)?;
    let parent_span_id = match SpanId::from_slice(&proto.parent_span_id) {
        Ok(id) => Some(id),
        Err(IdError::Zero | IdError::Length { got: 0, .. }) => None,
        Err(problem) => return Err(Problem::ParentSpanId(problem)),
    };
    let sent_links = proto.links.len();
    let mut links = Vec::with_capacity(sent_links);
    for (index, proto) in proto.links.into_iter().enumerate() {
        links.extend(link(index, proto)?);
    }
    let empty_links = u32::try_from(sent_links - links.len()).unwrap_or(u32::MAX);
    Ok(Span {
        trace_id,
        span_id,
        parent_span_id,
        trace_state: proto.trace_state.into(),
        flags: proto.flags,
        name: proto.name.into(),
        kind: kind(proto.kind),
        start_ns: proto.start_time_unix_nano,
        end_ns: proto.end_time_unix_nano,
        attributes: attributes(proto.attributes),
        dropped_attributes: proto.dropped_attributes_count,
        events: proto.events.into_iter().map(event).collect(),
        dropped_events: proto.dropped_events_count,
        links,
        dropped_links: proto.dropped_links_count.saturating_add(empty_links),
        status: proto.status.map(status).unwrap_or_default(),
        fidelity: Fidelity::Exact,
        resource: Arc::clone(resource),
        scope: Arc::clone(scope),
    })
}

/// A link, or `None` if both its ids are empty or zero.
fn link(index: usize, proto: proto::span::Link) -> Result<Option<Link>, Problem> {
    if proto
        .trace_id
        .iter()
        .chain(&proto.span_id)
        .all(|&byte| byte == 0)
    {
        return Ok(None);
    }
    let wrong = |field| {
        move |problem| Problem::Link {
            link: index,
            field,
            problem,
        }
    };
    Ok(Some(Link {
        trace_id: TraceId::from_slice(&proto.trace_id).map_err(wrong("traceId"))?,
        span_id: SpanId::from_slice(&proto.span_id).map_err(wrong("spanId"))?,
        trace_state: proto.trace_state.into(),
        flags: proto.flags,
        attributes: attributes(proto.attributes),
        dropped_attributes: proto.dropped_attributes_count,
    }))
}

fn event(proto: proto::span::Event) -> Event {
    Event {
        time_ns: proto.time_unix_nano,
        name: proto.name.into(),
        attributes: attributes(proto.attributes),
        dropped_attributes: proto.dropped_attributes_count,
    }
}

fn kind(number: i32) -> Kind {
    use proto::span::SpanKind;
    match SpanKind::try_from(number) {
        Ok(SpanKind::Unspecified) => Kind::Unspecified,
        Ok(SpanKind::Internal) => Kind::Internal,
        Ok(SpanKind::Server) => Kind::Server,
        Ok(SpanKind::Client) => Kind::Client,
        Ok(SpanKind::Producer) => Kind::Producer,
        Ok(SpanKind::Consumer) => Kind::Consumer,
        Err(_) => Kind::Unknown(number),
    }
}

fn status(proto: proto::Status) -> Status {
    use proto::status::StatusCode as Code;
    let code = match Code::try_from(proto.code) {
        Ok(Code::Unset) => StatusCode::Unset,
        Ok(Code::Ok) => StatusCode::Ok,
        Ok(Code::Error) => StatusCode::Error,
        Err(_) => StatusCode::Unknown(proto.code),
    };
    Status {
        code,
        message: proto.message.into(),
    }
}

fn resource(proto: Option<ProtoResource>, schema_url: String) -> Resource {
    let proto = proto.unwrap_or_default();
    Resource {
        attributes: attributes(proto.attributes),
        dropped_attributes: proto.dropped_attributes_count,
        schema_url,
    }
}

fn scope(proto: Option<InstrumentationScope>, schema_url: String) -> Scope {
    let proto = proto.unwrap_or_default();
    Scope {
        name: proto.name,
        version: proto.version,
        attributes: attributes(proto.attributes),
        dropped_attributes: proto.dropped_attributes_count,
        schema_url,
    }
}

fn attributes(pairs: Vec<KeyValue>) -> Attributes {
    Attributes(
        pairs
            .into_iter()
            .map(|pair| (pair.key.into(), value(pair.value)))
            .collect(),
    )
}

/// Converts a value. Its depth is limited by [`otlp::MOST_LEVELS`].
fn value(proto: Option<AnyValue>) -> Value {
    match proto.and_then(|any| any.value) {
        // Only profiles use references to a string table.
        None | Some(any_value::Value::StringValueStrindex(_)) => Value::Empty,
        Some(any_value::Value::StringValue(text)) => Value::String(text.into()),
        Some(any_value::Value::BoolValue(truth)) => Value::Bool(truth),
        Some(any_value::Value::IntValue(number)) => Value::Int(number),
        Some(any_value::Value::DoubleValue(number)) => Value::Double(number),
        Some(any_value::Value::BytesValue(bytes)) => Value::Bytes(bytes),
        Some(any_value::Value::ArrayValue(array)) => Value::Array(
            array
                .values
                .into_iter()
                .map(|any| value(Some(any)))
                .collect(),
        ),
        Some(any_value::Value::KvlistValue(map)) => Value::Map(attributes(map.values)),
    }
}
