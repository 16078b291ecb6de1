//! Decodes OTLP's spans from the bytes as they were sent; OTLP's own messages are not built for it.

use std::sync::Arc;

use otlp::{
    DecodeError, Transcoded,
    wire::{Field, Fields, Payload},
};

use super::head::{Found, Problem, Rejected, link_ids, parent, walk};
use crate::{
    Attributes, Event, Fidelity, Kind, Link, Resource, Scope, Span, SpanId, Status, StatusCode,
    Text, TraceId, Value,
};

/// The content of a request.
#[derive(Clone, Debug, Default)]
pub struct Decoded {
    /// The spans that can be used, in the order in which they were sent.
    pub spans: Vec<Span>,
    /// The spans that cannot be used.
    pub rejected: Vec<Rejected>,
    /// The number of texts in which U+FFFD replaces what is no character: bytes that are not UTF-8, or a surrogate
    /// of JSON without the other one.
    pub replaced: usize,
    /// The number of spans in a field that OTLP no longer has ([`otlp::Walked::library_spans`]).
    pub library_spans: usize,
}

/// Reads the spans of an OTLP/JSON document, `{"resourceSpans": […]}`.
///
/// # Errors
///
/// When the text is not JSON, or a part of it does not follow OTLP.
pub fn from_json(text: &[u8]) -> Result<Decoded, DecodeError> {
    from_transcoded(&otlp::traces_from_json(text)?)
}

/// Reads the spans of a document that was written over into protobuf.
///
/// # Errors
///
/// When an attribute has too many levels.
pub fn from_transcoded(transcoded: &Transcoded) -> Result<Decoded, DecodeError> {
    let mut decoded = from_protobuf(&transcoded.bytes)?;
    decoded.replaced += transcoded.replaced;
    decoded.library_spans += transcoded.library_spans;
    Ok(decoded)
}

/// Reads the spans of an encoded `ExportTraceServiceRequest` (or `TracesData`, which is the same on the wire).
/// Spans of one resource share it.
///
/// An unknown value of an open enum (a kind or a status code of a later OTLP version) is kept. A parent id of zeros
/// means no parent. A link without ids, which SDKs may send, is left out and counted in [`Span::dropped_links`].
///
/// # Errors
///
/// When the bytes are not such a message.
pub fn from_protobuf(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let mut decoded = Decoded::default();
    let (mut in_resource, mut in_scope) = (Arc::default(), Arc::default());
    let walked = walk(bytes, |found| {
        match found {
            Found::Resource(message) => in_resource = Arc::new(resource(message)),
            Found::Scope(message) => in_scope = Arc::new(scope(message)),
            Found::Rejected(rejected) => decoded.rejected.push(rejected),
            Found::Span(head) => {
                let span = span(head.message, &in_resource, &in_scope);
                decoded.spans.extend(span);
            }
        }
        Ok::<(), DecodeError>(())
    })?;
    decoded.replaced = walked.not_utf8;
    decoded.library_spans = walked.library_spans;
    Ok(decoded)
}

/// Decodes a span of this resource and scope. The numbers of the fields here and below are those of `trace.proto`,
/// `resource.proto` and `common.proto`.
///
/// # Errors
///
/// When one of its ids is not valid. What is malformed in another way is left out: [`walk`] has found it before.
pub fn span(message: &[u8], resource: &Arc<Resource>, scope: &Arc<Scope>) -> Result<Span, Problem> {
    let (mut trace_id, mut span_id, mut parent_id): (&[u8], &[u8], &[u8]) = (&[], &[], &[]);
    let mut counts = [0_usize; 3];
    for field in fields(message) {
        match (field.number, field.payload) {
            (1, Payload::Bytes(id)) => trace_id = id,
            (2, Payload::Bytes(id)) => span_id = id,
            (4, Payload::Bytes(id)) => parent_id = id,
            (9, _) => counts[0] += 1,
            (11, _) => counts[1] += 1,
            (13, _) => counts[2] += 1,
            _ => {}
        }
    }
    let mut span = Span {
        trace_id: TraceId::from_slice(trace_id).map_err(Problem::TraceId)?,
        span_id: SpanId::from_slice(span_id).map_err(Problem::SpanId)?,
        parent_span_id: parent(parent_id)?,
        trace_state: Text::default(),
        flags: 0,
        name: Text::default(),
        kind: Kind::Unspecified,
        start_ns: 0,
        end_ns: 0,
        attributes: Attributes(Vec::with_capacity(counts[0])),
        dropped_attributes: 0,
        events: Vec::with_capacity(counts[1]),
        dropped_events: 0,
        links: Vec::with_capacity(counts[2]),
        dropped_links: 0,
        status: Status::default(),
        fidelity: Fidelity::Exact,
        resource: Arc::clone(resource),
        scope: Arc::clone(scope),
    };
    let (mut sent_links, mut empty_links) = (0, 0_u32);
    for field in fields(message) {
        match (field.number, field.payload) {
            (3, Payload::Bytes(bytes)) => span.trace_state = text(bytes),
            (5, Payload::Bytes(bytes)) => span.name = text(bytes),
            (6, Payload::Varint(number)) => span.kind = kind(number as i32),
            (7, Payload::Fixed64(time)) => span.start_ns = time,
            (8, Payload::Fixed64(time)) => span.end_ns = time,
            (9, Payload::Bytes(pair)) => span.attributes.0.push(attribute(pair)),
            (10, Payload::Varint(count)) => span.dropped_attributes = count as u32,
            (11, Payload::Bytes(bytes)) => span.events.push(event(bytes)),
            (12, Payload::Varint(count)) => span.dropped_events = count as u32,
            (13, Payload::Bytes(bytes)) => {
                match link_ids(sent_links, bytes)? {
                    Some(ids) => span.links.push(link(bytes, ids)),
                    None => empty_links = empty_links.saturating_add(1),
                }
                sent_links += 1;
            }
            (14, Payload::Varint(count)) => span.dropped_links = count as u32,
            (15, Payload::Bytes(bytes)) => status(bytes, &mut span.status),
            (16, Payload::Fixed32(flags)) => span.flags = flags,
            _ => {}
        }
    }
    span.dropped_links = span.dropped_links.saturating_add(empty_links);
    Ok(span)
}

/// Decodes the resource of an encoded `ResourceSpans`.
pub fn resource(resource_spans: &[u8]) -> Resource {
    let mut resource = Resource::default();
    for field in fields(resource_spans) {
        match (field.number, field.payload) {
            (1, Payload::Bytes(message)) => {
                for field in fields(message) {
                    match (field.number, field.payload) {
                        (1, Payload::Bytes(pair)) => resource.attributes.0.push(attribute(pair)),
                        (2, Payload::Varint(count)) => resource.dropped_attributes = count as u32,
                        _ => {}
                    }
                }
            }
            (3, Payload::Bytes(url)) => resource.schema_url = text(url).into(),
            _ => {}
        }
    }
    resource
}

/// The `service.name` of an encoded `ResourceSpans`; `unknown_service` without one, as in [`Span::service`].
pub fn service(resource_spans: &[u8]) -> Text {
    let resources = messages(resource_spans);
    let mut names = resources.flat_map(messages).filter_map(|pair| {
        let is_it = fields(pair).any(|field| field.number == 1 && field.bytes() == Some(KEY));
        is_it.then(|| attribute(pair).1)
    });
    // As in `Attributes::get`, the first counts.
    let first = names.next();
    let name = first.and_then(|value| match value {
        Value::String(name) => Some(name),
        _ => None,
    });
    name.unwrap_or_else(|| "unknown_service".into())
}

const KEY: &[u8] = b"service.name";

/// Decodes the scope of an encoded `ScopeSpans`.
pub fn scope(scope_spans: &[u8]) -> Scope {
    let mut scope = Scope::default();
    for field in fields(scope_spans) {
        match (field.number, field.payload) {
            (1, Payload::Bytes(message)) => {
                for field in fields(message) {
                    match (field.number, field.payload) {
                        (1, Payload::Bytes(name)) => scope.name = text(name).into(),
                        (2, Payload::Bytes(version)) => scope.version = text(version).into(),
                        (3, Payload::Bytes(pair)) => scope.attributes.0.push(attribute(pair)),
                        (4, Payload::Varint(count)) => scope.dropped_attributes = count as u32,
                        _ => {}
                    }
                }
            }
            (3, Payload::Bytes(url)) => scope.schema_url = text(url).into(),
            _ => {}
        }
    }
    scope
}

/// The fields of a message, up to one that is malformed.
fn fields(message: &[u8]) -> impl Iterator<Item = Field<'_>> {
    Fields::of(message).map_while(Result::ok)
}

fn text(bytes: &[u8]) -> Text {
    match str::from_utf8(bytes) {
        Ok(text) => Text::from(text),
        Err(_) => Text::from(String::from_utf8_lossy(bytes)),
    }
}

fn link(message: &[u8], (trace_id, span_id): (TraceId, SpanId)) -> Link {
    let mut link = Link {
        trace_id,
        span_id,
        trace_state: Text::default(),
        flags: 0,
        attributes: Attributes::default(),
        dropped_attributes: 0,
    };
    for field in fields(message) {
        match (field.number, field.payload) {
            (3, Payload::Bytes(state)) => link.trace_state = text(state),
            (4, Payload::Bytes(pair)) => link.attributes.0.push(attribute(pair)),
            (5, Payload::Varint(count)) => link.dropped_attributes = count as u32,
            (6, Payload::Fixed32(flags)) => link.flags = flags,
            _ => {}
        }
    }
    link
}

fn event(message: &[u8]) -> Event {
    let mut event = Event {
        time_ns: 0,
        name: Text::default(),
        attributes: Attributes::default(),
        dropped_attributes: 0,
    };
    for field in fields(message) {
        match (field.number, field.payload) {
            (1, Payload::Fixed64(time)) => event.time_ns = time,
            (2, Payload::Bytes(name)) => event.name = text(name),
            (3, Payload::Bytes(pair)) => event.attributes.0.push(attribute(pair)),
            (4, Payload::Varint(count)) => event.dropped_attributes = count as u32,
            _ => {}
        }
    }
    event
}

fn kind(number: i32) -> Kind {
    match number {
        0 => Kind::Unspecified,
        1 => Kind::Internal,
        2 => Kind::Server,
        3 => Kind::Client,
        4 => Kind::Producer,
        5 => Kind::Consumer,
        other => Kind::Unknown(other),
    }
}

fn status(message: &[u8], status: &mut Status) {
    for field in fields(message) {
        match (field.number, field.payload) {
            (2, Payload::Bytes(message)) => status.message = text(message),
            (3, Payload::Varint(code)) => {
                status.code = match code as i32 {
                    0 => StatusCode::Unset,
                    1 => StatusCode::Ok,
                    2 => StatusCode::Error,
                    other => StatusCode::Unknown(other),
                }
            }
            _ => {}
        }
    }
}

/// Decodes an encoded `KeyValue`. What is malformed is left out, as in [`span`], and so is what is nested too deeply.
pub fn attribute(message: &[u8]) -> (Text, Value) {
    attribute_below(message, 0)
}

/// Decodes a `KeyValue` inside this number of arrays and maps.
fn attribute_below(message: &[u8], levels: usize) -> (Text, Value) {
    let (mut key, mut value) = (Text::default(), Value::Empty);
    for field in fields(message) {
        match (field.number, field.payload) {
            (1, Payload::Bytes(bytes)) => key = text(bytes),
            (2, Payload::Bytes(bytes)) => value = any_value(bytes, levels).unwrap_or(value),
            _ => {}
        }
    }
    (key, value)
}

/// Decodes a value inside this number of arrays and maps; `None` if it is empty, or inside more than
/// [`otlp::MOST_LEVELS`]. Of several in one message the last counts, as of any `oneof`.
fn any_value(message: &[u8], levels: usize) -> Option<Value> {
    if levels > otlp::MOST_LEVELS {
        return None;
    }
    let mut value = None;
    for field in fields(message) {
        let read = match (field.number, field.payload) {
            (1, Payload::Bytes(bytes)) => Value::String(text(bytes)),
            (2, Payload::Varint(truth)) => Value::Bool(truth != 0),
            (3, Payload::Varint(int)) => Value::Int(int.cast_signed()),
            (4, Payload::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
            (5, Payload::Bytes(array)) => Value::Array(values(array, levels + 1)),
            (6, Payload::Bytes(map)) => {
                let pairs = messages(map).map(|pair| attribute_below(pair, levels + 1));
                Value::Map(Attributes(pairs.collect()))
            }
            (7, Payload::Bytes(bytes)) => Value::Bytes(bytes.to_vec()),
            // Only profiles use references to a string table.
            _ => continue,
        };
        value = Some(read);
    }
    value
}

fn values(array: &[u8], levels: usize) -> Vec<Value> {
    let values = messages(array).map(|value| any_value(value, levels).unwrap_or(Value::Empty));
    values.collect()
}

/// The messages of field 1, of which arrays and maps consist.
fn messages(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    let fields = fields(message).filter(|field| field.number == 1);
    fields.filter_map(|field| field.bytes())
}
