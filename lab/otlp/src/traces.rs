//! A request of traces, walked in place: no message is built, and no byte is copied.

use crate::{
    check::{Wrong, check, check_field, check_text, is_plain_attribute},
    error::{DecodeError, Malformed},
    schema::{self, EVENT, KEY_VALUE, LINK, RESOURCE_SPANS, SCOPE_SPANS, SPAN, TRACES},
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
    let mut checked = Checked::default();
    let mut fields = Fields::of(request);
    while let Some(field) = fields
        .read()
        .map_err(|wrong| DecodeError::from(Wrong::from(wrong)))?
    {
        let known = &TRACES.0[0];
        if field.number != known.number {
            continue;
        }
        let in_request = |wrong: Wrong| wrong.below(request, field.whole, known).into();
        let resource = field
            .bytes()
            .ok_or_else(|| in_request(Malformed::OtherType(known.name).into()))?;
        each(Part::Resource(resource))?;
        resource_spans(resource, &mut checked, &in_request, &mut each)?;
    }
    Ok(checked.walked)
}

/// Reads and checks an encoded `Span` that stands alone. [`Head::field`] is empty.
///
/// # Errors
///
/// When the bytes are not such a message, and when an attribute has more levels than [`crate::MOST_LEVELS`].
pub fn head(message: &[u8]) -> Result<Head<'_>, DecodeError> {
    Ok(span(message, &mut 0)?)
}

fn resource_spans<'a, E: From<DecodeError>>(
    resource: &'a [u8],
    checked: &mut Checked<'a>,
    in_request: &impl Fn(Wrong) -> DecodeError,
    each: &mut impl FnMut(Part<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut fields = Fields::of(resource);
    while let Some(field) = fields.read().map_err(|wrong| in_request(wrong.into()))? {
        if field.number == LIBRARY_SPANS {
            checked.walked.library_spans +=
                field.bytes().map_or(0, |library| count(library, INNER));
        }
        let Some(known) = RESOURCE_SPANS.field(field.number) else {
            continue;
        };
        let in_resource = |wrong: Wrong| in_request(wrong.below(resource, field.whole, known));
        match (field.number, field.payload) {
            (INNER, Payload::Bytes(scope)) => {
                each(Part::Scope(scope))?;
                scope_spans(scope, checked, &in_resource, each)?;
            }
            _ => checked.check(&field, known).map_err(in_resource)?,
        }
    }
    Ok(())
}

fn scope_spans<'a, E: From<DecodeError>>(
    scope: &'a [u8],
    checked: &mut Checked<'a>,
    in_resource: &impl Fn(Wrong) -> DecodeError,
    each: &mut impl FnMut(Part<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut fields = Fields::of(scope);
    while let Some(field) = fields.read().map_err(|wrong| in_resource(wrong.into()))? {
        let Some(known) = SCOPE_SPANS.field(field.number) else {
            continue;
        };
        let in_scope = |wrong: Wrong| in_resource(wrong.below(scope, field.whole, known));
        match (field.number, field.payload) {
            (INNER, Payload::Bytes(message)) => {
                let mut head = span(message, &mut checked.walked.not_utf8).map_err(in_scope)?;
                head.field = field.whole;
                each(Part::Span(head))?;
            }
            _ => checked.check(&field, known).map_err(in_scope)?,
        }
    }
    Ok(())
}

/// What was found so far, and what was checked last of resources and scopes: most requests have few of them, many
/// times.
#[derive(Default)]
struct Checked<'a> {
    walked: Walked,
    /// Fields whose texts are all UTF-8, with the tables that they were checked by.
    fields: [Option<(&'static schema::Field, &'a [u8])>; REMEMBERED],
    /// Where the next of them is put.
    oldest: usize,
}

const REMEMBERED: usize = 8;

impl<'a> Checked<'a> {
    /// Checks a field that is not walked.
    fn check(&mut self, field: &Field<'a>, known: &'static schema::Field) -> Result<(), Wrong> {
        let mut last = self.fields.iter().flatten();
        if last.any(|(table, whole)| std::ptr::eq(*table, known) && *whole == field.whole) {
            return Ok(());
        }
        let before = self.walked.not_utf8;
        check_field(field, known, 0, &mut self.walked.not_utf8)?;
        if self.walked.not_utf8 == before {
            self.fields[self.oldest] = Some((known, field.whole));
            self.oldest = (self.oldest + 1) % REMEMBERED;
        }
        Ok(())
    }
}

/// Reads and checks a span. The numbers are those of `trace.proto`; a field of a number that is not here is
/// unknown, and is kept.
///
/// Most fields of most spans are short and in their plain form: they are taken by their first byte, before the general
/// way, which takes all others.
#[inline]
fn span<'a>(message: &'a [u8], not_utf8: &mut usize) -> Result<Head<'a>, Wrong> {
    let mut head = Head {
        message,
        ..Head::default()
    };
    let mut fields = Fields::of(message);
    while let Some(first) = fields.peek() {
        if first == ATTRIBUTE && fields.short_if(is_plain_attribute).is_some() {
            // The next one is most often an attribute, too.
            continue;
        }
        let is_taken = match first {
            START => fields
                .short_fixed64()
                .map(|time| head.start_ns = time)
                .is_some(),
            END => fields
                .short_fixed64()
                .map(|time| head.end_ns = time)
                .is_some(),
            TRACE_ID => fields.short().map(|id| head.trace_id = id).is_some(),
            SPAN_ID => fields.short().map(|id| head.span_id = id).is_some(),
            PARENT_ID => fields.short().map(|id| head.parent_span_id = id).is_some(),
            NAME => {
                let name = fields.short();
                name.is_some_and(|name| {
                    head.name = name;
                    check_text(name, not_utf8);
                    true
                })
            }
            KIND => fields.short_varint().is_some(),
            STATUS => {
                let plain = fields.short_if(|status| matches!(status, [] | [STATUS_CODE, 0..0x80]));
                if let Some([_, code]) = plain {
                    head.status_code = i32::from(*code);
                }
                plain.is_some()
            }
            _ => first == FLAGS[0] && fields.fixed32_of(FLAGS).is_some(),
        };
        if is_taken {
            continue;
        }
        if let Some(field) = fields.read()? {
            any_field(&field, &mut head, not_utf8)
                .map_err(|wrong| below_span(wrong, message, &field))?;
        }
    }
    Ok(head)
}

/// The first bytes of fields: the number, and the wire type in the low three bits.
const TRACE_ID: u8 = 1 << 3 | 2;
const SPAN_ID: u8 = 2 << 3 | 2;
const PARENT_ID: u8 = 4 << 3 | 2;
const NAME: u8 = 5 << 3 | 2;
const KIND: u8 = 6 << 3;
const START: u8 = 7 << 3 | 1;
const END: u8 = 8 << 3 | 1;
const ATTRIBUTE: u8 = 9 << 3 | 2;
const STATUS: u8 = 15 << 3 | 2;
/// Number 16: the key takes two bytes.
const FLAGS: [u8; 2] = [0x80 | 5, 1];
/// In `Status`.
const STATUS_CODE: u8 = 3 << 3;

#[cold]
fn below_span(wrong: Wrong, message: &[u8], field: &Field<'_>) -> Wrong {
    match SPAN.field(field.number) {
        Some(known) => wrong.below(message, field.whole, known),
        None => wrong,
    }
}

/// Reads and checks a field of a span in any form.
fn any_field<'a>(
    field: &Field<'a>,
    head: &mut Head<'a>,
    not_utf8: &mut usize,
) -> Result<(), Wrong> {
    match (field.number, field.payload) {
        (9, Payload::Bytes(attribute)) => return check(attribute, &KEY_VALUE, not_utf8),
        (1, Payload::Bytes(id)) => head.trace_id = id,
        (2, Payload::Bytes(id)) => head.span_id = id,
        (4, Payload::Bytes(id)) => head.parent_span_id = id,
        (5, Payload::Bytes(name)) => {
            head.name = name;
            check_text(name, not_utf8);
        }
        (7, Payload::Fixed64(time)) => head.start_ns = time,
        (8, Payload::Fixed64(time)) => head.end_ns = time,
        (11, Payload::Bytes(event)) => return check(event, &EVENT, not_utf8),
        (13, Payload::Bytes(link)) => {
            head.has_links = true;
            return check(link, &LINK, not_utf8);
        }
        (15, Payload::Bytes(status)) => {
            head.status_code = status_code(status).unwrap_or(head.status_code);
            return check(status, &schema::STATUS, not_utf8);
        }
        (number, _) => {
            if let Some(known) = SPAN.field(number) {
                return check_field(field, known, 0, not_utf8);
            }
        }
    }
    Ok(())
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;
    use crate::wire::put_bytes;

    /// A request with spans that have each kind of field, in plain forms and in others.
    fn request() -> Vec<u8> {
        let message = |fields: &[(u32, &[u8])]| {
            let mut out = Vec::new();
            for (number, bytes) in fields {
                put_bytes(*number, bytes, &mut out);
            }
            out
        };
        let value = message(&[(1, b"a value")]);
        let long = message(&[(1, &[b'x'; 200])]);
        let array = message(&[(5, &message(&[(1, &value), (1, b"\x18\x96\x01")]))]);
        let attribute = |value: &[u8]| message(&[(1, b"a.key"), (2, value)]);
        let mut span = message(&[
            (1, &[7; 16]),
            (2, &[8; 8]),
            (4, &[9; 8]),
            (5, "caf\u{e9}".as_bytes()),
            (9, &attribute(&value)),
            (9, &attribute(&long)),
            (9, &attribute(&array)),
            (9, &attribute(b"\x18\x05")),
            (9, &attribute(b"\x21\0\0\0\0\0\0\xf0\x3f")),
            (11, &message(&[(2, b"event"), (3, &attribute(&value))])),
            (13, &message(&[(1, &[1; 16]), (2, &[2; 8])])),
            (15, &message(&[(2, b"why")])),
            (15, &[]),
            (15, &[STATUS_CODE, 2]),
            (77, b"later"),
        ]);
        for key in [START, END] {
            span.push(key);
            span.extend(5_u64.to_le_bytes());
        }
        span.extend([KIND, 3]);
        span.extend(FLAGS);
        span.extend(0x101_u32.to_le_bytes());
        let scope = message(&[(1, &message(&[(1, b"a scope")])), (2, &span), (2, &span)]);
        let resource = message(&[(1, &message(&[(1, &attribute(&value))])), (2, &scope)]);
        // The second time it is known.
        message(&[(1, &resource), (1, &resource)])
    }

    fn walked(request: &[u8]) -> Result<usize, String> {
        let walked = walk(request, |_| Ok::<(), DecodeError>(()));
        let walked = walked.map_err(|error| error.to_string());
        walked.map(|walked| walked.not_utf8)
    }

    fn checked(request: &[u8]) -> Result<usize, String> {
        let mut not_utf8 = 0;
        let checked = check(request, &TRACES, &mut not_utf8).map_err(DecodeError::from);
        checked.map_err(|error| error.to_string())?;
        Ok(not_utf8)
    }

    /// The short ways of the walk take what the tables take, and refuse it with the same words.
    #[test]
    fn the_walk_takes_what_the_tables_take() {
        let good = request();
        assert_eq!(walked(&good), Ok(0));
        let (mut taken, mut refused) = (0, 0);
        for at in 0..good.len() {
            for byte in [0x00, 0x01, 0x0a, 0x12, 0x4a, 0x7f, 0x80, 0xc3, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = byte;
                let (walked, checked) = (walked(&bytes), checked(&bytes));
                assert_eq!(walked, checked, "byte {at} is {byte:#x}");
                match walked {
                    Ok(_) => taken += 1,
                    Err(_) => refused += 1,
                }
            }
            assert_eq!(walked(&good[..at]), checked(&good[..at]), "cut at {at}");
        }
        assert!(taken > 1_000 && refused > 1_000, "{taken} {refused}");
    }

    #[test]
    fn a_span_is_come_to_with_what_a_store_needs() {
        let good = request();
        let mut heads = Vec::new();
        let parts = walk(&good, |part| {
            if let Part::Span(head) = part {
                heads.push(head);
            }
            Ok::<(), DecodeError>(())
        });
        assert_eq!(parts.unwrap(), Walked::default());
        assert_eq!(heads.len(), 4);
        for head in heads {
            assert_eq!((head.trace_id, head.span_id), (&[7; 16][..], &[8; 8][..]));
            assert_eq!(
                (head.parent_span_id, head.name),
                (&[9; 8][..], "caf\u{e9}".as_bytes())
            );
            assert_eq!((head.start_ns, head.end_ns, head.has_links), (5, 5, true));
            assert_eq!(head.status_code, 2);
            assert_eq!(
                Fields::of(head.field).next().unwrap().unwrap().bytes(),
                Some(head.message)
            );
        }
    }
}
