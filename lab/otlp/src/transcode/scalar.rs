//! Single values of OTLP/JSON: what each kind of field takes, and how it is encoded.

use std::{borrow::Cow, fmt};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use crate::{
    schema::{Enum, Field, Holds},
    wire::{put_bytes, put_length, put_varint},
};

/// A value of JSON, as far as it is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Got<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Unsigned(u64),
    Double(f64),
    Text(&'a str),
    Array,
    Object,
}

/// Writes a value of this field; `None` if it is none.
pub(super) fn write(field: &Field, got: &Got<'_>, out: &mut Vec<u8>) -> Option<()> {
    let number = field.number;
    match field.holds {
        Holds::Text => put_bytes(number, got.text()?.as_bytes(), out),
        Holds::Bool => match got {
            Got::Bool(truth) => varint(number, u64::from(*truth), out),
            _ => return None,
        },
        Holds::Double => fixed64(number, double(got)?.to_bits(), out),
        Holds::Int64 => varint(number, integer::<i64>(got)?.cast_unsigned(), out),
        Holds::Sfixed64 => fixed64(number, integer::<i64>(got)?.cast_unsigned(), out),
        Holds::Fixed64 => fixed64(number, integer(got)?, out),
        Holds::Uint64 => varint(number, integer(got)?, out),
        Holds::Uint32 => varint(number, u64::from(integer::<u32>(got)?), out),
        Holds::Fixed32 => {
            put_varint(u64::from(number << 3 | 5), out);
            out.extend_from_slice(&integer::<u32>(got)?.to_le_bytes());
        }
        Holds::Sint32 => {
            let int: i32 = integer(got)?;
            let zigzag = ((int << 1) ^ (int >> 31)).cast_unsigned();
            varint(number, u64::from(zigzag), out);
        }
        // Some senders write -1, which is read as none.
        Holds::Count => {
            let count: i64 = integer(got)?;
            varint(number, u64::from(u32::try_from(count.max(0)).ok()?), out);
        }
        Holds::Id(length) => id(number, got.text()?, length, out)?,
        Holds::Base64 => put_bytes(number, &base64(got.text()?)?, out),
        // An enum is an int32, and a negative one is ten bytes of varint.
        Holds::Enum(names) => {
            let int = enum_number(got, names)?;
            varint(number, i64::from(int).cast_unsigned(), out);
        }
        Holds::Message(_) => return None,
    }
    Some(())
}

fn varint(number: u32, value: u64, out: &mut Vec<u8>) {
    put_varint(u64::from(number << 3), out);
    put_varint(value, out);
}

fn fixed64(number: u32, bits: u64, out: &mut Vec<u8>) {
    put_varint(u64::from(number << 3 | 1), out);
    out.extend_from_slice(&bits.to_le_bytes());
}

/// An integer that is a JSON number (a whole one, also as `1e3`) or a string of digits.
fn integer<T: TryFrom<i128>>(got: &Got<'_>) -> Option<T> {
    let wide = match *got {
        Got::Text(text) => digits(text).or_else(|| text.parse().ok())?,
        Got::Int(int) => i128::from(int),
        Got::Unsigned(int) => i128::from(int),
        Got::Double(double) if double.fract() == 0.0 => double as i128,
        _ => return None,
    };
    T::try_from(wide).ok()
}

/// The number of up to 19 digits, as of times: the parser of wide integers is slower.
fn digits(text: &str) -> Option<i128> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    let mut value = 0_u64;
    for digit in text.bytes() {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(i128::from(value))
}

fn double(got: &Got<'_>) -> Option<f64> {
    match *got {
        Got::Int(int) => Some(int as f64),
        Got::Unsigned(int) => Some(int as f64),
        Got::Double(double) => Some(double),
        Got::Text("NaN") => Some(f64::NAN),
        Got::Text("Infinity") => Some(f64::INFINITY),
        Got::Text("-Infinity") => Some(f64::NEG_INFINITY),
        Got::Text(text) => text.parse().ok().filter(|double: &f64| double.is_finite()),
        _ => None,
    }
}

fn enum_number(got: &Got<'_>, names: &Enum) -> Option<i32> {
    match *got {
        Got::Int(int) => i32::try_from(int).ok(),
        Got::Unsigned(int) => i32::try_from(int).ok(),
        Got::Text(text) => {
            let name = text.strip_prefix(names.prefix)?;
            let number = names.names.iter().position(|&known| known == name)?;
            i32::try_from(number).ok()
        }
        _ => None,
    }
}

/// Writes an id in hexadecimal digits, or in base64: 16 and 8 bytes are 24 and 12 characters in it (22 and 11 without
/// padding), as no id in hexadecimal digits has. What has only such digits is never base64.
fn id(number: u32, text: &str, length: usize, out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    put_length(number, text.len() / 2, out);
    if text.len().is_multiple_of(2) && hex(text.as_bytes(), out) {
        return Some(());
    }
    out.truncate(start);
    let is_hex = text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let bytes = base64(text).filter(|bytes| !is_hex && bytes.len() == length)?;
    put_bytes(number, &bytes, out);
    Some(())
}

/// Appends what pairs of hexadecimal digits stand for; `false` if there are others.
fn hex(text: &[u8], out: &mut Vec<u8>) -> bool {
    text.chunks_exact(2).all(|pair| {
        let (high, low) = (DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]);
        out.push(high << 4 | low & 0xf);
        high | low < 0x10
    })
}

/// The value of each hexadecimal digit; 0xff for any other character.
const DIGITS: [u8; 256] = {
    let mut digits = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

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

// === impl Holds ===

impl Holds {
    /// What such a field takes, in words.
    pub(super) fn in_words(self) -> Cow<'static, str> {
        let words = match self {
            Holds::Text => "a string",
            Holds::Bool => "true or false",
            Holds::Double => "a number, or \"NaN\", \"Infinity\" or \"-Infinity\",",
            Holds::Int64 | Holds::Sfixed64 => "a signed 64-bit integer, as a string or a number,",
            Holds::Fixed64 | Holds::Uint64 => {
                "an unsigned 64-bit integer, as a string or a number,"
            }
            Holds::Uint32 | Holds::Fixed32 | Holds::Count => "an unsigned 32-bit integer",
            Holds::Sint32 => "a signed 32-bit integer",
            Holds::Id(_) => "hexadecimal digits (an even number of them)",
            Holds::Base64 => "base64",
            Holds::Enum(names) => {
                return format!(
                    "a number, or a name such as {}{},",
                    names.prefix, names.names[1]
                )
                .into();
            }
            Holds::Message(_) => "an object",
        };
        words.into()
    }
}

// === impl Got ===

impl<'a> Got<'a> {
    fn text(&self) -> Option<&'a str> {
        match *self {
            Got::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The value, or its beginning: what is wrong may be megabytes long.
impl fmt::Display for Got<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 60;
        match *self {
            Got::Null => f.write_str("null"),
            Got::Bool(truth) => write!(f, "{truth}"),
            Got::Int(int) => write!(f, "{int}"),
            Got::Unsigned(int) => write!(f, "{int}"),
            Got::Double(double) => write!(f, "{}", serde_json::Value::from(double)),
            Got::Array => f.write_str("an array"),
            Got::Object => f.write_str("an object"),
            Got::Text(text) => match text.char_indices().nth(MOST) {
                None => write!(f, "{}", serde_json::Value::from(text)),
                Some((end, _)) => write!(f, "{:?}", format!("{}…", &text[..end])),
            },
        }
    }
}
