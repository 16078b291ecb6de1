//! [`Template`]: a recorded trace, encoded once, whose copies get ids and times of their own in place.

use std::collections::HashMap;

use thiserror::Error;
use trace::{Span, SpanId, TraceId, otlp};

use crate::{
    Encoding, SpanSlot, TraceSlot,
    ids::SPANS,
    places::{Known, Places, TIME_DIGITS, in_json, in_protobuf, indices},
};

/// A recorded trace in both encodings of OTLP, with the places of its ids and times.
#[derive(Debug)]
pub struct Template {
    spans: usize,
    protobuf: Piece,
    json: Piece,
    duration_ns: u64,
}

/// What is written into a copy of a template.
#[derive(Clone, Debug)]
pub(crate) struct Patch {
    /// The run, the template's number and the sequence number.
    pub(crate) trace: TraceSlot,
    /// The start of the trace, in nanoseconds since the Unix epoch.
    pub(crate) start_ns: u64,
}

/// Why spans are no template.
#[derive(Debug, Error)]
pub enum TemplateError {
    /// There are none.
    #[error("a template needs at least one span")]
    Empty,
    /// There are more than an id can tell apart.
    #[error("a template has at most {SPANS} spans, and not {0}")]
    TooManySpans(usize),
    /// They are of several traces.
    #[error("a template is one trace, and these spans are of {0} and of {1}")]
    TwoTraces(TraceId, TraceId),
    /// Two of them have the same id, so a copy could not tell them apart.
    #[error("two spans of the template have the id {0}")]
    SpanTwice(SpanId),
    /// A span without start or end, or whose time has another number of digits than the time of a copy.
    #[error(
        "the time {0:?} of a span or event is not between September 2001 and the year 2286: it must have \
         {TIME_DIGITS} digits, as nanoseconds since the Unix epoch"
    )]
    Time(String),
}

/// A template in one encoding.
#[derive(Debug)]
pub(crate) struct Piece {
    encoding: Encoding,
    bytes: Box<[u8]>,
    places: Places,
}

// === impl Template ===

impl Template {
    /// Makes a template of the spans of one trace.
    ///
    /// Ids of its own spans are replaced in each copy, in parents and links too; ids of other traces stay.
    ///
    /// # Errors
    ///
    /// When there are no spans or too many, when they are of several traces, when two have the same id, or when a
    /// time is missing or far away.
    pub fn new(spans: &[Span]) -> Result<Template, TemplateError> {
        let (start_ns, duration_ns) = checked(spans)?;
        let indices: HashMap<SpanId, usize> = indices(spans).map_err(TemplateError::SpanTwice)?;
        let known = Known {
            trace_id: spans[0].trace_id,
            spans: indices,
            start_ns,
        };
        let json = inner_json(spans);
        Ok(Template {
            spans: spans.len(),
            json: Piece {
                encoding: Encoding::Json,
                places: in_json(&json, &known).map_err(TemplateError::Time)?,
                bytes: json.into_bytes().into(),
            },
            protobuf: Piece::protobuf(otlp::to_protobuf(spans), &known),
            duration_ns,
        })
    }

    /// How many spans a copy has.
    pub fn spans(&self) -> usize {
        self.spans
    }

    /// The time from the start of the earliest span to the end of the latest, in nanoseconds.
    pub fn duration_ns(&self) -> u64 {
        self.duration_ns
    }

    /// The bytes of the template in protobuf: an `ExportTraceServiceRequest` of this trace.
    pub fn protobuf(&self) -> &[u8] {
        &self.protobuf.bytes
    }

    pub(crate) fn piece(&self, encoding: Encoding) -> &Piece {
        match encoding {
            Encoding::Protobuf => &self.protobuf,
            Encoding::Json => &self.json,
        }
    }
}

// === impl Piece ===

impl Piece {
    fn protobuf(bytes: Vec<u8>, known: &Known) -> Piece {
        Piece {
            encoding: Encoding::Protobuf,
            places: in_protobuf(&bytes, known).expect("prost wrote these bytes"),
            bytes: bytes.into(),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives a copy of these bytes the ids and times of `patch`. What was written into them before does not matter.
    pub(crate) fn patch(&self, bytes: &mut [u8], patch: Patch) {
        // One check of the length, and not one for each place.
        let bytes = &mut bytes[..self.bytes.len()];
        match self.encoding {
            Encoding::Protobuf => self.patch_protobuf(bytes, patch),
            Encoding::Json => self.patch_json(bytes, patch),
        }
    }

    fn patch_protobuf(&self, bytes: &mut [u8], Patch { trace, start_ns }: Patch) {
        self.places
            .patch(bytes, 0, &trace.bytes(), trace.sequence, start_ns);
    }

    fn patch_json(&self, bytes: &mut [u8], Patch { trace, start_ns }: Patch) {
        let trace_id = hex::<16, 32>(trace.bytes());
        for &at in &self.places.trace_ids {
            bytes[at..at + 32].copy_from_slice(&trace_id);
        }
        let sequence = trace.sequence;
        for &(at, index) in &self.places.span_ids {
            let span_id = hex::<8, 16>(SpanSlot { sequence, index }.bytes());
            bytes[at..at + 16].copy_from_slice(&span_id);
        }
        for &(at, after) in &self.places.times {
            let time = start_ns.wrapping_add_signed(after);
            decimal(&mut bytes[at..at + TIME_DIGITS], time);
        }
    }
}

/// Checks that spans are one trace, of which copies can be told apart. Returns its start, and its duration.
pub(crate) fn checked(spans: &[Span]) -> Result<(u64, u64), TemplateError> {
    let first = spans.first().ok_or(TemplateError::Empty)?;
    if spans.len() > SPANS {
        return Err(TemplateError::TooManySpans(spans.len()));
    }
    let other = spans.iter().find(|span| span.trace_id != first.trace_id);
    if let Some(other) = other {
        return Err(TemplateError::TwoTraces(first.trace_id, other.trace_id));
    }
    indices(spans).map_err(TemplateError::SpanTwice)?;
    if spans
        .iter()
        .any(|span| span.start_ns == 0 || span.end_ns == 0)
    {
        return Err(TemplateError::Time("0".to_owned()));
    }
    let start_ns = spans.iter().map(|span| span.start_ns).min();
    let start_ns = start_ns.expect("there is a first span");
    let end_ns = spans.iter().map(|span| span.end_ns).max();
    let duration_ns = end_ns.map_or(0, |end| end.saturating_sub(start_ns));
    Ok((start_ns, duration_ns))
}

/// The objects within `{"resourceSpans":[…]}`.
fn inner_json(spans: &[Span]) -> String {
    let document = otlp::to_json(spans);
    let inner = document.strip_prefix("{\"resourceSpans\":[");
    let inner = inner.and_then(|inner| inner.strip_suffix("]}"));
    inner.expect("a document of traces is one list").to_owned()
}

/// Lower-case hex, as OTLP/JSON has ids. `DIGITS` is twice `BYTES`.
fn hex<const BYTES: usize, const DIGITS: usize>(bytes: [u8; BYTES]) -> [u8; DIGITS] {
    const OF: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; DIGITS];
    for (two, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        two[0] = OF[usize::from(byte >> 4)];
        two[1] = OF[usize::from(byte & 15)];
    }
    digits
}

/// Writes a number of [`TIME_DIGITS`] digits. It is cut into parts of 32 bits, whose divisions are cheap, as there are
/// many times in a request.
fn decimal(places: &mut [u8], number: u64) {
    const PART: u64 = 100_000_000;
    let (first, rest) = places.split_at_mut(TIME_DIGITS - 16);
    let (second, third) = rest.split_at_mut(8);
    part(first, (number / PART / PART) as u32);
    part(second, (number / PART % PART) as u32);
    part(third, (number % PART) as u32);
}

/// Writes a number of as many digits as there are places.
fn part(places: &mut [u8], mut number: u32) {
    for place in places.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
