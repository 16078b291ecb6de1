//! The places in an encoded `ExportTraceServiceRequest`, found by a walk over its fields
//! (opentelemetry/proto/trace/v1/trace.proto).

use std::ops::Range;

use otlp::{
    Malformed,
    wire::{Field, Fields, Payload},
};

use super::{Known, Places};

/// Finds the ids and times of the trace in its encoded bytes. Ids of other traces in links stay as they are.
///
/// # Errors
///
/// When the bytes are no protobuf message.
pub(crate) fn in_protobuf(bytes: &[u8], known: &Known) -> Result<Places, Malformed> {
    let mut places = Places::default();
    for resource_spans in within(bytes, 0..bytes.len(), 1)? {
        for scope_spans in within(bytes, resource_spans, 2)? {
            for span in within(bytes, scope_spans, 2)? {
                in_span(bytes, span, known, &mut places)?;
            }
        }
    }
    Ok(places)
}

/// Finds those of one span, whose message is at `span` in the bytes.
///
/// # Errors
///
/// When the bytes are no protobuf message.
pub(crate) fn in_span(
    bytes: &[u8],
    span: Range<usize>,
    known: &Known,
    places: &mut Places,
) -> Result<(), Malformed> {
    for field in Fields::of(&bytes[span]) {
        let field = field?;
        let place = place(bytes, &field);
        match (field.number, field.payload) {
            // trace_id
            (1, Payload::Bytes(_)) => places.trace_ids.push(place.start),
            // span_id, parent_span_id
            (2 | 4, Payload::Bytes(id)) => {
                let index = known.span(id);
                places
                    .span_ids
                    .extend(index.map(|index| (place.start, index)));
            }
            // start_time_unix_nano, end_time_unix_nano
            (7 | 8, Payload::Fixed64(time)) => {
                places.times.push((place.start, known.after_start(time)));
            }
            // events, of which 1 is time_unix_nano
            (11, Payload::Bytes(event)) => {
                for field in Fields::of(event) {
                    let field = field?;
                    if let (1, Payload::Fixed64(time)) = (field.number, field.payload) {
                        let place = self::place(bytes, &field);
                        places.times.push((place.start, known.after_start(time)));
                    }
                }
            }
            (13, Payload::Bytes(link)) => in_link(bytes, link, known, places)?,
            _ => {}
        }
    }
    Ok(())
}

/// Finds the ids of a link, of which 1 is trace_id, and 2 is span_id.
fn in_link(bytes: &[u8], link: &[u8], known: &Known, places: &mut Places) -> Result<(), Malformed> {
    let (mut trace, mut span) = (None, None);
    for field in Fields::of(link) {
        let field = field?;
        match (field.number, field.payload) {
            (1, Payload::Bytes(id)) if known.is_trace(id) => {
                trace = Some(place(bytes, &field).start)
            }
            (2, Payload::Bytes(id)) => {
                span = known
                    .span(id)
                    .map(|index| (place(bytes, &field).start, index));
            }
            _ => {}
        }
    }
    if let Some(trace) = trace {
        places.trace_ids.push(trace);
        places.span_ids.extend(span);
    }
    Ok(())
}

/// Where the messages of this number are in the message at `message`.
fn within(
    bytes: &[u8],
    message: Range<usize>,
    number: u32,
) -> Result<Vec<Range<usize>>, Malformed> {
    let mut found = Vec::new();
    for field in Fields::of(&bytes[message]) {
        let field = field?;
        if field.number == number && field.bytes().is_some() {
            found.push(place(bytes, &field));
        }
    }
    Ok(found)
}

/// Where the value of a field is in the bytes, without key and length.
fn place(bytes: &[u8], field: &Field<'_>) -> Range<usize> {
    let end = field.whole.as_ptr() as usize - bytes.as_ptr() as usize + field.whole.len();
    let length = match field.payload {
        Payload::Bytes(value) => value.len(),
        Payload::Fixed64(_) => 8,
        Payload::Fixed32(_) => 4,
        // Nothing that is looked for.
        Payload::Varint(_) | Payload::Group => 0,
    };
    end - length..end
}
