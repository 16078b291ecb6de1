//! OTLP/JSON to protobuf, by the tables of [`crate::schema`].
//!
//! The serde code that comes with the generated messages does not keep to the specification (it
//! stumbles over unknown fields of a value, over a double that is `"NaN"` and over an enum that is
//! given by name), and there would be three of it, one a signal. So JSON is written over into the
//! bytes of the protobuf message, which has one decoder for all.

use std::fmt;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use prost::encoding::{WireType, encode_key, encode_varint};
use serde_json::Value as Json;
use thiserror::Error;

use crate::schema::{Enum, Field, Holds, Message};

/// Something in a JSON document that OTLP does not have in that place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {want} is needed, not {got}")]
pub struct Mismatch {
    /// Where it is.
    pub place: Place,
    /// What has its place there.
    pub want: String,
    /// What is there.
    pub got: String,
}

/// The way to a value in a JSON document: `resourceSpans[0].scopeSpans[1].spans[2].kind`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(&'static str),
    Index(usize),
}

/// The protobuf bytes of a JSON document.
pub(crate) fn to_protobuf(json: &Json, message: &Message) -> Result<Vec<u8>, Mismatch> {
    let mut out = Vec::new();
    let mut place = Place::default();
    write_message(json, message, &mut place, &mut out)?;
    Ok(out)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the document");
        }
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if at == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl Place {
    fn mismatch(&self, want: &str, got: &Json) -> Mismatch {
        Mismatch {
            place: self.clone(),
            want: want.to_owned(),
            got: excerpt(got),
        }
    }
}

/// Its depth is bounded by the limit of the parser ([`crate::parse`]).
fn write_message(
    json: &Json,
    message: &Message,
    place: &mut Place,
    out: &mut Vec<u8>,
) -> Result<(), Mismatch> {
    let Json::Object(object) = json else {
        return Err(place.mismatch("an object", json));
    };
    for (key, value) in object {
        // An unknown field is ignored ("OTLP/JSON: receivers MUST ignore unknown fields"), and a
        // null is as good as absent (the JSON mapping of protobuf).
        let Some(field) = message.0.iter().find(|field| field.is_called(key)) else {
            continue;
        };
        if value.is_null() {
            continue;
        }
        place.0.push(Step::Key(field.name));
        if field.repeated {
            let Json::Array(values) = value else {
                return Err(place.mismatch("an array", value));
            };
            for (index, value) in values.iter().enumerate() {
                place.0.push(Step::Index(index));
                write_field(value, field, place, out)?;
                place.0.pop();
            }
        } else {
            write_field(value, field, place, out)?;
        }
        place.0.pop();
    }
    Ok(())
}

fn write_field(
    json: &Json,
    field: &Field,
    place: &mut Place,
    out: &mut Vec<u8>,
) -> Result<(), Mismatch> {
    let number = field.number;
    match field.holds {
        Holds::Text => {
            let text = json
                .as_str()
                .ok_or_else(|| place.mismatch("a string", json))?;
            write_bytes(number, text.as_bytes(), out);
        }
        Holds::Bool => {
            let truth = json
                .as_bool()
                .ok_or_else(|| place.mismatch("true or false", json))?;
            write_varint(number, u64::from(truth), out);
        }
        Holds::Double => {
            let double = double(json).ok_or_else(|| {
                place.mismatch("a number, or \"NaN\", \"Infinity\" or \"-Infinity\",", json)
            })?;
            write_64(number, double.to_bits(), out);
        }
        Holds::Int64 => {
            let int: i64 = integer(
                json,
                place,
                "a signed 64-bit integer, as a string or a number,",
            )?;
            write_varint(number, int.cast_unsigned(), out);
        }
        Holds::Sfixed64 => {
            let int: i64 = integer(
                json,
                place,
                "a signed 64-bit integer, as a string or a number,",
            )?;
            write_64(number, int.cast_unsigned(), out);
        }
        Holds::Fixed64 => {
            let int: u64 = integer(
                json,
                place,
                "an unsigned 64-bit integer, as a string or a number,",
            )?;
            write_64(number, int, out);
        }
        Holds::Uint64 => {
            let int: u64 = integer(
                json,
                place,
                "an unsigned 64-bit integer, as a string or a number,",
            )?;
            write_varint(number, int, out);
        }
        Holds::Uint32 => {
            let int: u32 = integer(json, place, "an unsigned 32-bit integer")?;
            write_varint(number, u64::from(int), out);
        }
        Holds::Fixed32 => {
            let int: u32 = integer(json, place, "an unsigned 32-bit integer")?;
            encode_key(number, WireType::ThirtyTwoBit, out);
            out.extend_from_slice(&int.to_le_bytes());
        }
        Holds::Sint32 => {
            let int: i32 = integer(json, place, "a signed 32-bit integer")?;
            let zigzag = ((int << 1) ^ (int >> 31)).cast_unsigned();
            write_varint(number, u64::from(zigzag), out);
        }
        Holds::Count => {
            let count: i64 = integer(json, place, "an unsigned 32-bit integer")?;
            let count = u32::try_from(count.max(0))
                .map_err(|_| place.mismatch("an unsigned 32-bit integer", json))?;
            write_varint(number, u64::from(count), out);
        }
        Holds::Id(length) => {
            let bytes = json.as_str().and_then(|text| id(text, length));
            let bytes = bytes.ok_or_else(|| {
                place.mismatch("hexadecimal digits (an even number of them)", json)
            })?;
            write_bytes(number, &bytes, out);
        }
        Holds::Base64 => {
            let bytes = json
                .as_str()
                .and_then(base64)
                .ok_or_else(|| place.mismatch("base64", json))?;
            write_bytes(number, &bytes, out);
        }
        Holds::Enum(names) => {
            let int = enum_number(json, names).ok_or_else(|| {
                let want = format!(
                    "a number, or a name such as {}{},",
                    names.prefix, names.names[1]
                );
                place.mismatch(&want, json)
            })?;
            // An enum is an int32, and a negative one is ten bytes of varint.
            write_varint(number, i64::from(int).cast_unsigned(), out);
        }
        Holds::Message(message) => {
            let mut inner = Vec::new();
            write_message(json, message, place, &mut inner)?;
            write_bytes(number, &inner, out);
        }
    }
    Ok(())
}

fn write_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn write_varint(number: u32, value: u64, out: &mut Vec<u8>) {
    encode_key(number, WireType::Varint, out);
    encode_varint(value, out);
}

fn write_64(number: u32, bits: u64, out: &mut Vec<u8>) {
    encode_key(number, WireType::SixtyFourBit, out);
    out.extend_from_slice(&bits.to_le_bytes());
}

/// An integer that is a JSON number (a whole one, also as `1e3`) or a string of digits.
fn integer<T: TryFrom<i128>>(json: &Json, place: &Place, want: &str) -> Result<T, Mismatch> {
    let wide = match json {
        Json::String(text) => text.parse::<i128>().ok(),
        Json::Number(number) => number.as_i128().or_else(|| {
            number
                .as_f64()
                .filter(|f| f.fract() == 0.0)
                .map(|f| f as i128)
        }),
        _ => None,
    };
    wide.and_then(|wide| T::try_from(wide).ok())
        .ok_or_else(|| place.mismatch(want, json))
}

fn double(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => text.parse().ok().filter(|double: &f64| double.is_finite()),
        },
        _ => None,
    }
}

fn enum_number(json: &Json, names: &Enum) -> Option<i32> {
    match json {
        Json::Number(number) => number.as_i64().and_then(|wide| i32::try_from(wide).ok()),
        Json::String(text) => {
            let name = text.strip_prefix(names.prefix)?;
            let number = names.names.iter().position(|&known| known == name)?;
            i32::try_from(number).ok()
        }
        _ => None,
    }
}

/// An id in hexadecimal digits, or in base64: 16 and 8 bytes are 24 and 12 characters in it (22 and 11 without
/// padding), as no id in hexadecimal digits has. What has only such digits is never base64.
fn id(text: &str, length: usize) -> Option<Vec<u8>> {
    hex(text).or_else(|| {
        let is_hex = text.bytes().all(|digit| digit.is_ascii_hexdigit());
        base64(text).filter(|bytes| !is_hex && bytes.len() == length)
    })
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(
        digits
            .chunks(2)
            .map(|pair| (pair[0] << 4) | pair[1])
            .collect(),
    )
}

// === impl Field ===

impl Field {
    /// Whether a key of JSON names the field. OTLP/JSON knows lowerCamelCase alone; the JSON mapping of protobuf
    /// also has the names of the `.proto` files, as in `trace_id`. No two fields differ only in this.
    fn is_called(&self, key: &str) -> bool {
        self.name == key || (key.contains('_') && is_snake_case_of(key, self.name))
    }
}

/// Whether `snake` is `camel` with an underscore and a lower-case letter in place of each upper-case letter.
fn is_snake_case_of(snake: &str, camel: &str) -> bool {
    let mut rest = snake.bytes();
    let same = camel.bytes().all(|letter| match letter {
        b'A'..=b'Z' => {
            rest.next() == Some(b'_') && rest.next() == Some(letter.to_ascii_lowercase())
        }
        _ => rest.next() == Some(letter),
    });
    same && rest.next().is_none()
}

/// Standard or URL-safe, padded or not: the JSON mapping of protobuf takes all four.
fn base64(text: &str) -> Option<Vec<u8>> {
    const EITHER: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    EITHER.decode(text.replace('-', "+").replace('_', "/")).ok()
}

/// The value, or its beginning: what is wrong may be megabytes long.
fn excerpt(json: &Json) -> String {
    const MOST: usize = 60;
    match json {
        Json::Object(_) => "an object".to_owned(),
        Json::Array(_) => "an array".to_owned(),
        Json::String(text) if text.chars().count() > MOST => {
            let start: String = text.chars().take(MOST).collect();
            format!("{:?}", start + "…")
        }
        other => other.to_string(),
    }
}
