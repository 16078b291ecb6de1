//! A request of traces, walked in place: no message is built, and no byte is copied.

use crate::{
    check::{Wrong, check, check_text},
    error::{DecodeError, Malformed},
    schema::{EVENT, KEY_VALUE, LINK, RESOURCE_SPANS, SCOPE_SPANS, SPAN, STATUS, TRACES},
    wire::{Field, Fields, Payload},
};

/// A part of a request, in the order in which [`walk`] comes to it.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// A `ResourceSpans`, before its scopes.
    Resource(&'a [u8]),
    /// A `ScopeSpans` of this resource, before its spans.
    Scope(&'a [u8]),
    /// A span of this scope.
    Span(Head<'a>),
}

/// What a store needs to know of a span, in the bytes as they were sent. An id that was not sent is empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head<'a> {
    /// The whole field of the `ScopeSpans`, with its number and length.
    pub field: &'a [u8],
    /// The encoded `Span`.
    pub message: &'a [u8],
    /// Its trace id.
    pub trace_id: &'a [u8],
    /// Its own id.
    pub span_id: &'a [u8],
    /// The id of its parent.
    pub parent_span_id: &'a [u8],
    /// Its name; not always UTF-8.
    pub name: &'a [u8],
    /// Its start, in nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// Its end, in nanoseconds since the Unix epoch.
    pub end_ns: u64,
    /// The code of its status, as it was sent.
    pub status_code: i32,
    /// Whether it has links.
    pub has_links: bool,
}

/// What was found in a whole request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// The number of texts that are not UTF-8.
    pub not_utf8: usize,
    /// The number of spans that stand below `instrumentationLibrarySpans`. OTLP 0.15 renamed this field to
    /// `scopeSpans`, and OTLP 1.0 does not have it.
    pub library_spans: usize,
}

/// The number that `instrumentation_library_spans` had in `ResourceSpans` when `scope_spans` had its place.
const LIBRARY_SPANS: u32 = 1000;
/// The number of `scope_spans` in `ResourceSpans`, and of `spans` in `ScopeSpans`.
const INNER: u32 = 2;

/// Walks an encoded `ExportTraceServiceRequest` (or `TracesData`, which is the same on the wire), and checks all
/// of it: what `each` was given can be decoded if the whole walk succeeds.
///
/// # Errors
///
/// When the bytes are not such a message, when an attribute has more levels than [`crate::MOST_LEVELS`], or when
/// `each` returns an error.
pub fn walk<'a, E: From<DecodeError>>(
    request: &'a [u8],
    mut each: impl FnMut(Part<'a>) -> Result<(), E>,
) -> Result<Walked, E> {
    let mut walked = Walked::default();
    let mut fields = Fields::of(request);
    while let Some(field) = fields.read().map_err(of_wire)? {
        if field.number != 1 {
            continue;
        }
        let in_request = |wrong: Wrong| of_check(wrong.below(request, &field, &TRACES.0[0]));
        let resource = field
            .bytes()
            .ok_or_else(|| in_request(Malformed::OtherType("resourceSpans").into()))?;
        each(Part::Resource(resource))?;
        resource_spans(resource, &mut walked, &in_request, &mut each)?;
    }
    Ok(walked)
}

fn resource_spans<'a, E: From<DecodeError>>(
    resource: &'a [u8],
    walked: &mut Walked,
    in_request: &impl Fn(Wrong) -> DecodeError,
    each: &mut impl FnMut(Part<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut fields = Fields::of(resource);
    while let Some(field) = fields.read().map_err(|wrong| in_request(wrong.into()))? {
        if field.number == LIBRARY_SPANS {
            walked.library_spans += field.bytes().map_or(0, |library| count(library, INNER));
        }
        let Some(known) = RESOURCE_SPANS.field(field.number) else {
            continue;
        };
        let in_resource = |wrong: Wrong| in_request(wrong.below(resource, &field, known));
        match (field.number, field.payload) {
            (INNER, Payload::Bytes(scope)) => {
                each(Part::Scope(scope))?;
                scope_spans(scope, walked, &in_resource, each)?;
            }
            _ => checked(&field, known, walked).map_err(in_resource)?,
        }
    }
    Ok(())
}

fn scope_spans<'a, E: From<DecodeError>>(
    scope: &'a [u8],
    walked: &mut Walked,
    in_resource: &impl Fn(Wrong) -> DecodeError,
    each: &mut impl FnMut(Part<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut fields = Fields::of(scope);
    while let Some(field) = fields.read().map_err(|wrong| in_resource(wrong.into()))? {
        let Some(known) = SCOPE_SPANS.field(field.number) else {
            continue;
        };
        let in_scope = |wrong: Wrong| in_resource(wrong.below(scope, &field, known));
        match (field.number, field.payload) {
            (INNER, Payload::Bytes(message)) => {
                let mut head = span(message, &mut walked.not_utf8).map_err(in_scope)?;
                head.field = field.whole;
                each(Part::Span(head))?;
            }
            _ => checked(&field, known, walked).map_err(in_scope)?,
        }
    }
    Ok(())
}

/// Checks a field that is not walked.
fn checked(
    field: &Field<'_>,
    known: &'static crate::schema::Field,
    walked: &mut Walked,
) -> Result<(), Wrong> {
    crate::check::check_field(field, known, 0, &mut walked.not_utf8)
}

/// Reads and checks a span. The numbers are those of `trace.proto`; a field of a number that is not here is
/// unknown, and is kept.
#[inline]
fn span<'a>(message: &'a [u8], not_utf8: &mut usize) -> Result<Head<'a>, Wrong> {
    let mut head = Head {
        message,
        ..Head::default()
    };
    let mut fields = Fields::of(message);
    while let Some(field) = fields.read()? {
        let checked = match (field.number, field.payload) {
            (9, Payload::Bytes(attribute)) => check(attribute, &KEY_VALUE, not_utf8),
            (1, Payload::Bytes(id)) => {
                head.trace_id = id;
                Ok(())
            }
            (2, Payload::Bytes(id)) => {
                head.span_id = id;
                Ok(())
            }
            (4, Payload::Bytes(id)) => {
                head.parent_span_id = id;
                Ok(())
            }
            (5, Payload::Bytes(name)) => {
                head.name = name;
                check_text(name, not_utf8);
                Ok(())
            }
            (7, Payload::Fixed64(time)) => {
                head.start_ns = time;
                Ok(())
            }
            (8, Payload::Fixed64(time)) => {
                head.end_ns = time;
                Ok(())
            }
            (11, Payload::Bytes(event)) => check(event, &EVENT, not_utf8),
            (13, Payload::Bytes(link)) => {
                head.has_links = true;
                check(link, &LINK, not_utf8)
            }
            (15, Payload::Bytes(status)) => {
                head.status_code = status_code(status).unwrap_or(head.status_code);
                check(status, &STATUS, not_utf8)
            }
            (number, _) => match SPAN.field(number) {
                Some(known) => crate::check::check_field(&field, known, 0, not_utf8),
                None => Ok(()),
            },
        };
        checked.map_err(|wrong| match SPAN.field(field.number) {
            Some(known) => wrong.below(message, &field, known),
            None => wrong,
        })?;
    }
    Ok(head)
}

fn status_code(status: &[u8]) -> Option<i32> {
    let codes = Fields::of(status)
        .flatten()
        .filter_map(|field| match field {
            Field {
                number: 3,
                payload: Payload::Varint(code),
                ..
            } => Some(code as i32),
            _ => None,
        });
    codes.last()
}

fn count(message: &[u8], number: u32) -> usize {
    let fields = Fields::of(message).flatten();
    fields
        .filter(|field| field.number == number && field.bytes().is_some())
        .count()
}

fn of_wire(malformed: Malformed) -> DecodeError {
    Wrong::from(malformed).into()
}

fn of_check(wrong: Wrong) -> DecodeError {
    wrong.into()
}
