//! Protobuf requests, read also where prost refuses them: a text that is not UTF-8, a value that is nested
//! deeper than prost decodes.
//!
//! Proto3 wants UTF-8, and senders cut long texts in the middle of a character. prost refuses the whole
//! request for it, and for more than 100 nested messages, which are about 30 levels of an attribute. So a
//! request that prost refuses is written over, by the tables of [`crate::schema`]: each such text with
//! U+FFFD, each deep value into a part of its own.

use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use prost::{
    Message as _,
    encoding::{WireType, decode_varint, encode_key, encode_varint},
};

use crate::{
    error::DecodeError,
    schema::{ANY_VALUE, Holds, Message},
};

/// A request, with what was changed in it or left out of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read<M> {
    /// The request.
    pub request: M,
    /// The number of texts in which U+FFFD replaces what is no character: bytes that are not UTF-8, or a
    /// surrogate of JSON without the other one.
    pub replaced: usize,
    /// The number of spans that stand below `instrumentationLibrarySpans`. OTLP 0.15 renamed this field to
    /// `scopeSpans`, and OTLP 1.0 does not have it.
    pub library_spans: usize,
}

/// The highest number of arrays and maps around a value of an attribute.
pub const MOST_LEVELS: usize = 64;

/// The levels of a value that are decoded at once: three messages each, of prost's 100.
const LEVELS_OF_A_PART: usize = 24;

/// The field of `AnyValue` that only profiles use. In a mended request it is the number of a part.
const PART: u32 = 8;

/// A message whose deep values are decoded separately.
pub(crate) trait Graft {
    /// Puts the parts where their numbers stand.
    fn graft(&mut self, parts: &mut Parts);
}

/// The deep values of a request, by their numbers; each is taken once.
pub(crate) struct Parts(Vec<Option<AnyValue>>);

/// Decodes a request of these tables.
pub(crate) fn decode<M>(bytes: &[u8], message: &'static Message) -> Result<Read<M>, DecodeError>
where
    M: prost::Message + Default + Graft,
{
    let refused = match M::decode(bytes) {
        Ok(request) => {
            return Ok(Read {
                request,
                ..Read::default()
            });
        }
        Err(refused) => refused,
    };
    let mut mender = Mender::default();
    let mut mended = Vec::with_capacity(bytes.len());
    let copied = mender.copy(bytes, message, 0, &mut mended);
    if mender.too_deep {
        return Err(DecodeError::TooDeep);
    }
    if copied.is_none() || (mender.replaced == 0 && mender.parts.is_empty()) {
        return Err(refused.into());
    }
    let mut request = M::decode(mended.as_slice())?;
    let parts: Result<Vec<_>, _> = mender
        .parts
        .iter()
        .map(|part| AnyValue::decode(part.as_slice()).map(Some))
        .collect();
    request.graft(&mut Parts(parts?));
    Ok(Read {
        request,
        replaced: mender.replaced,
        library_spans: 0,
    })
}

/// Writes a request over.
#[derive(Default)]
struct Mender {
    replaced: usize,
    /// Encoded values that are decoded separately. A part has a higher number than the parts in it.
    parts: Vec<Vec<u8>>,
    too_deep: bool,
}

// === impl Mender ===

impl Mender {
    /// Copies an encoded message below this number of arrays and maps; `None` if it is malformed or too
    /// deep.
    fn copy(
        &mut self,
        bytes: &[u8],
        message: &'static Message,
        levels: usize,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let mut fields = Fields(bytes);
        while let Some(field) = fields.next()? {
            let known = message.0.iter().find(|known| known.number == field.number);
            match (field.payload, known.map(|known| known.holds)) {
                (Some(text), Some(Holds::Text)) => {
                    let valid = String::from_utf8_lossy(text);
                    self.replaced += usize::from(matches!(valid, std::borrow::Cow::Owned(_)));
                    write_bytes(field.number, valid.as_bytes(), out);
                }
                (Some(inner), Some(Holds::Message(message))) => {
                    let is_value = std::ptr::eq(message, &ANY_VALUE);
                    self.copy_inner(inner, message, is_value, levels, field.number, out)?;
                }
                // What is sent in this field means nothing in these signals.
                _ if field.number == PART && std::ptr::eq(message, &ANY_VALUE) => {}
                _ => out.extend_from_slice(field.whole),
            }
        }
        Some(())
    }

    fn copy_inner(
        &mut self,
        bytes: &[u8],
        message: &'static Message,
        is_value: bool,
        levels: usize,
        number: u32,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        if is_value && levels > MOST_LEVELS {
            self.too_deep = true;
            return None;
        }
        let mut inner = Vec::with_capacity(bytes.len());
        let below = levels + usize::from(is_value);
        self.copy(bytes, message, below, &mut inner)?;
        if is_value && levels > 0 && levels.is_multiple_of(LEVELS_OF_A_PART) {
            let part = self.parts.len() as u64;
            self.parts.push(std::mem::take(&mut inner));
            encode_key(PART, WireType::Varint, &mut inner);
            encode_varint(part, &mut inner);
        }
        write_bytes(number, &inner, out);
        Some(())
    }
}

// === impl Parts ===

impl Parts {
    /// Puts the parts into a value and all that it holds.
    pub(crate) fn graft(&mut self, value: &mut AnyValue) {
        if let Some(any_value::Value::StringValueStrindex(number)) = value.value {
            let place = usize::try_from(number)
                .ok()
                .and_then(|at| self.0.get_mut(at));
            *value = place.and_then(Option::take).unwrap_or_default();
        }
        match &mut value.value {
            Some(any_value::Value::ArrayValue(array)) => {
                array.values.iter_mut().for_each(|value| self.graft(value));
            }
            Some(any_value::Value::KvlistValue(map)) => {
                let values = map.values.iter_mut().filter_map(|pair| pair.value.as_mut());
                values.for_each(|value| self.graft(value));
            }
            _ => {}
        }
    }
}

/// The fields of an encoded message.
struct Fields<'a>(&'a [u8]);

/// A field of an encoded message.
struct Field<'a> {
    number: u32,
    /// The bytes of the field, with its number.
    whole: &'a [u8],
    /// The bytes of a text, of bytes or of a message; `None` for a number.
    payload: Option<&'a [u8]>,
}

// === impl Fields ===

impl<'a> Fields<'a> {
    /// The next field; `Some(None)` at the end, `None` if the bytes are no field. Groups, which OTLP does not
    /// have, are none.
    fn next(&mut self) -> Option<Option<Field<'a>>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let start = self.0;
        let key = decode_varint(&mut self.0).ok()?;
        let mut payload = None;
        let length = match key & 7 {
            0 => {
                decode_varint(&mut self.0).ok()?;
                0
            }
            1 => 8,
            2 => usize::try_from(decode_varint(&mut self.0).ok()?).ok()?,
            5 => 4,
            _ => return None,
        };
        let (value, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        if key & 7 == 2 {
            payload = Some(value);
        }
        Some(Some(Field {
            number: u32::try_from(key >> 3).ok()?,
            whole: &start[..start.len() - rest.len()],
            payload,
        }))
    }
}

/// Counts the spans of an encoded request that stand in the field `instrumentation_library_spans`, which was
/// number 1000 of `ResourceSpans` when `scope_spans` had its place.
pub(crate) fn library_spans(request: &[u8]) -> usize {
    payloads(request, 1)
        .flat_map(|resource| payloads(resource, 1000))
        .map(|library| payloads(library, 2).count())
        .sum()
}

/// The payloads of all fields with this number, up to the first that is malformed.
fn payloads(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    let mut fields = Fields(message);
    let fields = std::iter::from_fn(move || fields.next().flatten());
    fields
        .filter(move |field| field.number == number)
        .filter_map(|field| field.payload)
}

fn write_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}
