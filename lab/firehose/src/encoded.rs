//! [`Encoded`]: a recorded trace in protobuf, of which copies are written whole or in parts.
//!
//! A copy has ids and times of its own. They are written over those of the recording, as all of them have a fixed width.

use std::ops::Range;

use otlp::wire::{Fields, put_length};
use prost::Message as _;
use trace::{Span, otlp::to_request};

use crate::{
    TemplateError, TraceSlot,
    places::{Known, Places, in_span},
    template::checked,
};

/// A recorded trace in protobuf. Its spans are in the order in which a request has them: by resource and scope.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// An `ExportTraceServiceRequest` of the whole trace.
    bytes: Box<[u8]>,
    /// The places of all spans.
    places: Places,
    spans: Vec<EncodedSpan>,
    scopes: Vec<EncodedScope>,
    resources: Vec<EncodedResource>,
    /// The time from the earliest start to the latest end.
    pub(crate) duration_ns: u64,
}

/// A span within the bytes.
#[derive(Debug)]
struct EncodedSpan {
    /// The field of its scope, with key and length.
    field: Range<usize>,
    /// The message in it.
    message: Range<usize>,
    places: Places,
    scope: usize,
    start_after_ns: i64,
}

/// A `ScopeSpans` within the bytes: what stands before and after its spans.
#[derive(Debug)]
struct EncodedScope {
    resource: usize,
    head: Range<usize>,
    tail: Range<usize>,
    spans: Range<usize>,
}

/// A `ResourceSpans` within the bytes: what stands before and after its scopes.
#[derive(Debug)]
struct EncodedResource {
    head: Range<usize>,
    tail: Range<usize>,
    scopes: Range<usize>,
}

/// The envelope of a span as it was recorded: fields of `ResourceSpans` and `ScopeSpans` without scopes and spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    pub(crate) resource_head: &'a [u8],
    pub(crate) resource_tail: &'a [u8],
    pub(crate) scope_head: &'a [u8],
    pub(crate) scope_tail: &'a [u8],
}

// === impl Encoded ===

impl Encoded {
    /// Encodes the spans of one trace.
    ///
    /// # Errors
    ///
    /// As of [`Template::new`](crate::Template::new).
    pub(crate) fn new(spans: &[Span]) -> Result<Encoded, TemplateError> {
        let (start_ns, duration_ns) = checked(spans)?;
        let request = to_request(spans);
        let mut trace_id = None;
        let mut ids = Vec::with_capacity(spans.len());
        for span in request.resource_spans.iter().flat_map(|of| &of.scope_spans) {
            for span in &span.spans {
                trace_id.get_or_insert_with(|| span.trace_id.clone());
                ids.push(span.span_id.clone());
            }
        }
        let known = Known::of_bytes(&trace_id.unwrap_or_default(), &ids, start_ns);
        let mut encoded = Encoded {
            bytes: request.encode_to_vec().into(),
            places: Places::default(),
            spans: Vec::with_capacity(spans.len()),
            scopes: Vec::new(),
            resources: Vec::new(),
            duration_ns,
        };
        encoded.index(&known);
        debug_assert_eq!(encoded.spans.len(), spans.len());
        Ok(encoded)
    }

    /// Finds everything within the bytes.
    fn index(&mut self, known: &Known) {
        let bytes = std::mem::take(&mut self.bytes);
        let at = |part: &[u8]| {
            let start = part.as_ptr() as usize - bytes.as_ptr() as usize;
            start..start + part.len()
        };
        for of_resource in messages(&bytes, 1) {
            let first_scope = self.scopes.len();
            let (head, scopes, tail) = split(of_resource.message, 2);
            for of_scope in &scopes {
                let first_span = self.spans.len();
                let (head, spans, tail) = split(of_scope.message, 2);
                for span in &spans {
                    let message = at(span.message);
                    let mut places = Places::default();
                    in_span(&bytes, message.clone(), known, &mut places)
                        .expect("prost wrote these bytes");
                    self.places.add(&places);
                    self.spans.push(EncodedSpan {
                        field: at(span.field),
                        start_after_ns: places.times.first().map_or(0, |(_, after)| *after),
                        message,
                        places,
                        scope: self.scopes.len(),
                    });
                }
                self.scopes.push(EncodedScope {
                    resource: self.resources.len(),
                    head: at(head),
                    tail: at(tail),
                    spans: first_span..self.spans.len(),
                });
            }
            self.resources.push(EncodedResource {
                head: at(head),
                tail: at(tail),
                scopes: first_scope..self.scopes.len(),
            });
        }
        self.bytes = bytes;
    }

    /// How many spans the trace has.
    pub(crate) fn spans(&self) -> usize {
        self.spans.len()
    }

    /// How many bytes a copy has that is written whole.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The start of a span, after the start of the trace.
    pub(crate) fn start_after_ns(&self, index: usize) -> i64 {
        self.spans[index].start_after_ns
    }

    /// Appends the spans `part` of a copy to a request.
    pub(crate) fn write(
        &self,
        part: Range<usize>,
        trace: TraceSlot,
        start_ns: u64,
        out: &mut Vec<u8>,
    ) {
        if part == (0..self.spans.len()) {
            let at = out.len();
            out.extend_from_slice(&self.bytes);
            let trace_id = trace.bytes();
            self.places
                .patch(&mut out[at..], 0, &trace_id, trace.sequence, start_ns);
            return;
        }
        for resource in &self.resources {
            self.write_resource(resource, &part, trace, start_ns, out);
        }
    }

    fn write_resource(
        &self,
        resource: &EncodedResource,
        part: &Range<usize>,
        trace: TraceSlot,
        start_ns: u64,
        out: &mut Vec<u8>,
    ) {
        let scopes = &self.scopes[resource.scopes.clone()];
        let mut length = 0;
        for scope in scopes {
            if let Some(of_scope) = scope.length_of(part, self) {
                length += field_length(of_scope);
            }
        }
        if length == 0 {
            return;
        }
        put_length(1, resource.head.len() + length + resource.tail.len(), out);
        out.extend_from_slice(&self.bytes[resource.head.clone()]);
        let trace_id = trace.bytes();
        for scope in scopes {
            let Some(of_scope) = scope.length_of(part, self) else {
                continue;
            };
            put_length(2, of_scope, out);
            out.extend_from_slice(&self.bytes[scope.head.clone()]);
            for span in &self.spans[scope.within(part)] {
                let at = out.len();
                out.extend_from_slice(&self.bytes[span.field.clone()]);
                let (copy, base) = (&mut out[at..], span.field.start);
                span.places
                    .patch(copy, base, &trace_id, trace.sequence, start_ns);
            }
            out.extend_from_slice(&self.bytes[scope.tail.clone()]);
        }
        out.extend_from_slice(&self.bytes[resource.tail.clone()]);
    }

    /// Writes the message of one span of a copy, in place of what `out` had.
    pub(crate) fn span(&self, index: usize, trace: TraceSlot, start_ns: u64, out: &mut Vec<u8>) {
        let span = &self.spans[index];
        out.clear();
        out.extend_from_slice(&self.bytes[span.message.clone()]);
        let base = span.message.start;
        span.places
            .patch(out, base, &trace.bytes(), trace.sequence, start_ns);
    }

    /// The number of the scope of a span, counted over all resources.
    pub(crate) fn scope_of(&self, index: usize) -> usize {
        self.spans[index].scope
    }

    /// The envelope of the spans of a scope.
    pub(crate) fn envelope(&self, scope: usize) -> Envelope<'_> {
        let scope = &self.scopes[scope];
        let resource = &self.resources[scope.resource];
        let of = |range: &Range<usize>| &self.bytes[range.clone()];
        Envelope {
            resource_head: of(&resource.head),
            resource_tail: of(&resource.tail),
            scope_head: of(&scope.head),
            scope_tail: of(&scope.tail),
        }
    }
}

// === impl EncodedScope ===

impl EncodedScope {
    /// Those of its spans that are in `part`.
    fn within(&self, part: &Range<usize>) -> Range<usize> {
        let start = self.spans.start.max(part.start);
        start..self.spans.end.min(part.end).max(start)
    }

    /// The length of its message with the spans of `part`; `None` without any.
    fn length_of(&self, part: &Range<usize>, of: &Encoded) -> Option<usize> {
        let spans = self.within(part);
        let last = spans.clone().last()?;
        let spans = of.spans[last].field.end - of.spans[spans.start].field.start;
        Some(self.head.len() + spans + self.tail.len())
    }
}

/// A field that holds a message.
struct MessageField<'a> {
    field: &'a [u8],
    message: &'a [u8],
}

/// The messages of this number.
fn messages(bytes: &[u8], number: u32) -> Vec<MessageField<'_>> {
    let fields = Fields::of(bytes).map(|field| field.expect("prost wrote these bytes"));
    let of_number = fields.filter(|field| field.number == number);
    of_number
        .filter_map(|field| {
            Some(MessageField {
                field: field.whole,
                message: field.bytes()?,
            })
        })
        .collect()
}

/// A message in three parts: what is before the messages of this number, these, and what is after them. prost writes
/// fields by their numbers, so these are in a row.
fn split(bytes: &[u8], number: u32) -> (&[u8], Vec<MessageField<'_>>, &[u8]) {
    let inner = messages(bytes, number);
    let (Some(first), Some(last)) = (inner.first(), inner.last()) else {
        return (bytes, inner, &[]);
    };
    let begin = first.field.as_ptr() as usize - bytes.as_ptr() as usize;
    let end = last.field.as_ptr() as usize - bytes.as_ptr() as usize + last.field.len();
    let (head, tail) = (&bytes[..begin], &bytes[end..]);
    (head, inner, tail)
}

/// The length of a field with a message of this length, whose number is below 16.
fn field_length(message: usize) -> usize {
    let bits = usize::BITS - (message | 1).leading_zeros();
    1 + bits.div_ceil(7) as usize + message
}
