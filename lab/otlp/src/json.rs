//! Encoded messages as OTLP/JSON (OTLP specification, "JSON Protobuf Encoding"), written in one pass by the tables
//! of [`crate::schema`].

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    schema::{
        ANY_VALUE, Field as Known, Holds, Message, RESOURCE_SPANS, SCOPE_SPANS, SPAN, TRACES,
    },
    wire::{Field, Fields, Payload},
};

/// Writes an encoded request of traces as an OTLP/JSON document. Fields that have their default are left out,
/// and so are unknown ones. Each text that is not UTF-8 is written with U+FFFD.
///
/// The bytes are those of a request that [`crate::walk`] has passed; what is malformed is left out.
pub fn traces_to_json(request: &[u8]) -> String {
    let mut out = Vec::with_capacity(request.len() * 3);
    write_message(request, &TRACES, &mut out);
    into_text(out)
}

/// A document of traces that is written piece by piece, so that a large trace never stands in memory as text.
///
/// A scope belongs to the resource that was written last, and a span to the scope that was.
///
/// ```
/// # use otlp::JsonPieces;
/// let (mut pieces, mut text) = (JsonPieces::default(), Vec::new());
/// pieces.resource(b"", &mut text);
/// pieces.scope(b"", &mut text);
/// pieces.span(&[0x2a, 1, b'n'], &mut text);
/// pieces.end(&mut text);
/// assert!(text.starts_with(br#"{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[{"name":"n""#));
/// ```
#[derive(Debug, Default)]
pub struct JsonPieces {
    /// What was written last.
    within: Within,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Nothing,
    Resource,
    Scope,
    Span,
}

// === impl JsonPieces ===

impl JsonPieces {
    /// Begins a resource. The scopes that stand in this encoded `ResourceSpans` are not written.
    pub fn resource(&mut self, resource_spans: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(match self.within {
            Within::Nothing => b"{\"resourceSpans\":[".as_slice(),
            Within::Resource => b"]},",
            Within::Scope | Within::Span => b"]}]},",
        });
        open(resource_spans, &RESOURCE_SPANS, "scopeSpans", out);
        self.within = Within::Resource;
    }

    /// Begins a scope. The spans that stand in this encoded `ScopeSpans` are not written.
    pub fn scope(&mut self, scope_spans: &[u8], out: &mut Vec<u8>) {
        if matches!(self.within, Within::Scope | Within::Span) {
            out.extend_from_slice(b"]},");
        }
        open(scope_spans, &SCOPE_SPANS, "spans", out);
        self.within = Within::Scope;
    }

    /// Writes an encoded span.
    pub fn span(&mut self, span: &[u8], out: &mut Vec<u8>) {
        if self.within == Within::Span {
            out.push(b',');
        }
        write_message(span, &SPAN, out);
        self.within = Within::Span;
    }

    /// Ends the document.
    pub fn end(self, out: &mut Vec<u8>) {
        out.extend_from_slice(match self.within {
            Within::Nothing => b"{\"resourceSpans\":[]}".as_slice(),
            Within::Resource => b"]}]}",
            Within::Scope | Within::Span => b"]}]}]}",
        });
    }
}

/// Writes a message whose last field is this list, up to the opening bracket of it.
fn open(message: &[u8], table: &'static Message, list: &str, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    for known in table.0.iter().filter(|known| known.name != list) {
        field(message, known, &mut object);
    }
    object.key(list).push(b'[');
}

/// All that is written is JSON of valid texts.
fn into_text(out: Vec<u8>) -> String {
    match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

/// An object that is written key by key.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl<'o> Object<'o> {
    fn new(out: &'o mut Vec<u8>) -> Object<'o> {
        out.push(b'{');
        Object { out, first: true }
    }

    /// Writes a key, whose value the caller appends.
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !std::mem::replace(&mut self.first, false) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }
}

fn write_message(message: &[u8], table: &'static Message, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    if std::ptr::eq(table, &ANY_VALUE) {
        // Of a oneof the last that was sent counts.
        let known = fields(message).filter_map(|field| Some((field, table.field(field.number)?)));
        if let Some((field, known)) = known.last() {
            value(&field, known, object.key(known.name));
        }
    } else {
        for known in table.0 {
            field(message, known, &mut object);
        }
    }
    object.out.push(b'}');
}

/// Writes the fields of this number as one key, if there are any, or if the key is always written.
fn field(message: &[u8], known: &'static Known, object: &mut Object<'_>) {
    let mut all = fields(message).filter(|field| field.number == known.number);
    if known.repeated {
        let Some(first) = all.next() else {
            if known.always {
                object.key(known.name).extend_from_slice(b"[]");
            }
            return;
        };
        let out = object.key(known.name);
        out.push(b'[');
        value(&first, known, out);
        for field in all {
            out.push(b',');
            value(&field, known, out);
        }
        out.push(b']');
        return;
    }
    let Some(last) = last_of(all, known) else {
        if known.always {
            default(known, object.key(known.name));
        }
        return;
    };
    if known.always || !is_default(&last.payload()) {
        let last = Field {
            number: known.number,
            payload: last.payload(),
            whole: &[],
        };
        value(&last, known, object.key(known.name));
    }
}

/// What the fields of one number stand for: the last of them, or a message of all of them.
enum Last<'a> {
    One(Payload<'a>),
    Merged(Vec<u8>),
}

impl Last<'_> {
    fn payload(&self) -> Payload<'_> {
        match self {
            Last::One(payload) => *payload,
            Last::Merged(bytes) => Payload::Bytes(bytes),
        }
    }
}

fn last_of<'a>(mut all: impl Iterator<Item = Field<'a>>, known: &Known) -> Option<Last<'a>> {
    let mut last = Last::One(all.next()?.payload);
    for field in all {
        last = match (last, field.payload, known.holds) {
            // To merge two messages is to read one after the other.
            (Last::One(Payload::Bytes(before)), Payload::Bytes(bytes), Holds::Message(_)) => {
                Last::Merged([before, bytes].concat())
            }
            (Last::Merged(mut before), Payload::Bytes(bytes), Holds::Message(_)) => {
                before.extend_from_slice(bytes);
                Last::Merged(before)
            }
            (_, payload, _) => Last::One(payload),
        };
    }
    Some(last)
}

fn fields(message: &[u8]) -> impl Iterator<Item = Field<'_>> {
    Fields::of(message).map_while(Result::ok)
}

fn is_default(payload: &Payload<'_>) -> bool {
    matches!(
        payload,
        Payload::Varint(0) | Payload::Fixed64(0) | Payload::Fixed32(0) | Payload::Bytes([])
    )
}

fn default(known: &Known, out: &mut Vec<u8>) {
    out.extend_from_slice(match known.holds {
        Holds::Message(_) => b"{}".as_slice(),
        Holds::Fixed64 | Holds::Int64 => b"\"0\"",
        Holds::Text | Holds::Id(_) | Holds::Base64 => b"\"\"",
        _ => b"0",
    });
}

fn value(field: &Field<'_>, known: &'static Known, out: &mut Vec<u8>) {
    match (known.holds, field.payload) {
        (Holds::Message(table), Payload::Bytes(message)) => {
            write_message(message, table, out);
        }
        (Holds::Text, Payload::Bytes(text)) => string(&String::from_utf8_lossy(text), out),
        (Holds::Id(_), Payload::Bytes(id)) => hex(id, out),
        (Holds::Base64, Payload::Bytes(bytes)) => {
            out.push(b'"');
            out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
            out.push(b'"');
        }
        (Holds::Bool, Payload::Varint(truth)) => {
            let truth: &[u8] = if truth == 0 { b"false" } else { b"true" };
            out.extend_from_slice(truth);
        }
        (Holds::Int64, Payload::Varint(int)) => quoted(int.cast_signed(), out),
        (Holds::Uint64, Payload::Varint(int)) => quoted(int, out),
        (Holds::Fixed64, Payload::Fixed64(int)) => quoted(int, out),
        (Holds::Sfixed64, Payload::Fixed64(int)) => quoted(int.cast_signed(), out),
        (Holds::Double, Payload::Fixed64(bits)) => double(f64::from_bits(bits), out),
        (Holds::Fixed32, Payload::Fixed32(int)) => plain(int, out),
        (Holds::Uint32 | Holds::Count, Payload::Varint(int)) => plain(int as u32, out),
        (Holds::Enum(_), Payload::Varint(int)) => plain(int as i32, out),
        (Holds::Sint32, Payload::Varint(int)) => {
            let int = int as u32;
            plain((int >> 1).cast_signed() ^ -(int & 1).cast_signed(), out);
        }
        // A checked request has no such field.
        _ => out.extend_from_slice(b"null"),
    }
}

fn plain(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// 64-bit integers are strings in JSON, whose numbers are doubles.
fn quoted(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.push(b'"');
    plain(number, out);
    out.push(b'"');
}

/// JSON has no number for three doubles; the JSON mapping of protobuf gives them names.
fn double(number: f64, out: &mut Vec<u8>) {
    let name: Cow<'_, str> = if number.is_nan() {
        "\"NaN\"".into()
    } else if number == f64::INFINITY {
        "\"Infinity\"".into()
    } else if number == f64::NEG_INFINITY {
        "\"-Infinity\"".into()
    } else {
        serde_json::Value::from(number).to_string().into()
    };
    out.extend_from_slice(name.as_bytes());
}

fn string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a string is written to memory");
}

fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 0xf)]);
    }
    out.push(b'"');
}
