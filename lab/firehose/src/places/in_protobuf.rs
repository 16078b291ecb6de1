//! The places in an encoded `ExportTraceServiceRequest`, found by a walk over its fields
//! (opentelemetry/proto/trace/v1/trace.proto).

use std::ops::Range;

use prost::{
    DecodeError,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};

use super::{Known, Places};

/// Finds the ids and times of the trace in its encoded bytes. Ids of other traces in links stay as they are.
///
/// # Errors
///
/// When the bytes are no protobuf message.
pub(crate) fn in_protobuf(bytes: &[u8], known: &Known) -> Result<Places, DecodeError> {
    let mut places = Places::default();
    for resource_spans in fields(bytes, 0..bytes.len())?.of(1) {
        for scope_spans in fields(bytes, resource_spans)?.of(2) {
            for span in fields(bytes, scope_spans)?.of(2) {
                of_span(bytes, span, known, &mut places)?;
            }
        }
    }
    Ok(places)
}

fn of_span(
    bytes: &[u8],
    span: Range<usize>,
    known: &Known,
    places: &mut Places,
) -> Result<(), DecodeError> {
    for (number, place) in fields(bytes, span)?.0 {
        match number {
            // trace_id
            1 => places.trace_ids.push(place.start),
            // span_id, parent_span_id
            2 | 4 => {
                let index = known.span(&bytes[place.clone()]);
                places
                    .span_ids
                    .extend(index.map(|index| (place.start, index)));
            }
            // start_time_unix_nano, end_time_unix_nano
            7 | 8 => time(bytes, &place, known, places),
            // events, of which 1 is time_unix_nano
            11 => {
                for place in fields(bytes, place)?.of(1) {
                    time(bytes, &place, known, places);
                }
            }
            // links, of which 1 is trace_id, and 2 is span_id
            13 => {
                let link = fields(bytes, place)?;
                let [trace, span] = [1, 2].map(|number| link.of(number).next());
                if let Some(trace) = trace
                    && known.is_trace(&bytes[trace.clone()])
                {
                    places.trace_ids.push(trace.start);
                    let index = span.clone().and_then(|span| known.span(&bytes[span]));
                    let span = span.map(|span| span.start);
                    places.span_ids.extend(span.zip(index));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn time(bytes: &[u8], place: &Range<usize>, known: &Known, places: &mut Places) {
    if let Ok(time) = bytes[place.clone()].try_into() {
        let after = known.after_start(u64::from_le_bytes(time));
        places.times.push((place.start, after));
    }
}

/// The fields of a message: the number of each, and where its value is, without its length.
struct Fields(Vec<(u32, Range<usize>)>);

impl Fields {
    /// The places of the fields of a number.
    fn of(&self, number: u32) -> impl Iterator<Item = Range<usize>> {
        let fields = self.0.iter().filter(move |(found, _)| *found == number);
        fields.map(|(_, place)| place.clone())
    }
}

/// Reads the fields of the message that is at `message`.
fn fields(bytes: &[u8], message: Range<usize>) -> Result<Fields, DecodeError> {
    let mut rest = &bytes[message.clone()];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (number, wire) = decode_key(&mut rest)?;
        let mut after = rest;
        skip_field(wire, number, &mut after, DecodeContext::default())?;
        if wire == WireType::LengthDelimited {
            decode_varint(&mut rest)?;
        }
        let end = message.end - after.len();
        found.push((number, message.end - rest.len()..end));
        rest = after;
    }
    Ok(Fields(found))
}
