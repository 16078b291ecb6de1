//! Whether an encoded message can be decoded, found out without decoding it.
//!
//! A request is checked once, when it comes. What was checked is read later without errors.

use std::str;

use crate::{
    MOST_LEVELS,
    error::{DecodeError, Malformed},
    place::{Place, Step},
    schema::{ANY_VALUE, Field as Known, Holds, KEY_VALUE, Message},
    wire::{Field, Fields, Payload},
};

/// Why a message cannot be decoded, with the way to it from the inside to the outside.
#[derive(Debug)]
pub(crate) struct Wrong {
    problem: Problem,
    way: Vec<Step>,
}

#[derive(Debug)]
enum Problem {
    Malformed(Malformed),
    TooDeep,
}

/// Checks a message: each known field has its wire type, and no value is nested too deeply. Counts in
/// `not_utf8` the texts that are not UTF-8, which is no error: senders cut long texts in the middle of a
/// character.
pub(crate) fn check(
    bytes: &[u8],
    message: &'static Message,
    not_utf8: &mut usize,
) -> Result<(), Wrong> {
    check_below(bytes, message, 0, not_utf8)
}

/// Checks a message below this number of arrays and maps.
fn check_below(
    bytes: &[u8],
    message: &'static Message,
    levels: usize,
    not_utf8: &mut usize,
) -> Result<(), Wrong> {
    let mut fields = Fields::of(bytes);
    while let Some(field) = fields.read()? {
        if let Some(known) = message.field(field.number) {
            check_field(&field, known, levels, not_utf8)
                .map_err(|wrong| wrong.below(bytes, field.whole, known))?;
        }
    }
    Ok(())
}

#[inline]
pub(crate) fn check_field(
    field: &Field<'_>,
    known: &'static Known,
    levels: usize,
    not_utf8: &mut usize,
) -> Result<(), Wrong> {
    match field.payload {
        Payload::Bytes(bytes) => check_bytes(bytes, known, levels, not_utf8),
        payload if known.holds.is_sent_as(payload) => Ok(()),
        _ => Err(Malformed::OtherType(known.name).into()),
    }
}

/// Checks a field that came as bytes.
#[inline]
pub(crate) fn check_bytes(
    bytes: &[u8],
    known: &'static Known,
    levels: usize,
    not_utf8: &mut usize,
) -> Result<(), Wrong> {
    match known.holds {
        Holds::Text => check_text(bytes, not_utf8),
        Holds::Message(inner)
            if std::ptr::eq(inner, &KEY_VALUE)
                && levels <= MOST_LEVELS
                && is_plain_attribute(bytes) => {}
        Holds::Message(inner) => {
            let is_value = std::ptr::eq(inner, &ANY_VALUE);
            if is_value && levels > MOST_LEVELS {
                return Err(Wrong::new(Problem::TooDeep));
            }
            check_below(bytes, inner, levels + usize::from(is_value), not_utf8)?;
        }
        Holds::Id(_) | Holds::Base64 => {}
        holds if known.repeated && is_packed(holds, bytes) => {}
        _ => return Err(Malformed::OtherType(known.name).into()),
    }
    Ok(())
}

/// Whether an attribute is a key and then a value that is a number, or a text in ASCII. It is said of most attributes;
/// all others are checked by the tables.
#[inline]
pub(crate) fn is_plain_attribute(pair: &[u8]) -> bool {
    const KEY: u8 = 1 << 3 | 2;
    const VALUE: u8 = 2 << 3 | 2;
    let [KEY, length, rest @ ..] = pair else {
        return false;
    };
    // A first byte of 0x80 or more begins a length of several bytes. It is none here: what follows would be as long.
    let Some((key, [VALUE, length, value @ ..])) = rest.split_at_checked(usize::from(*length))
    else {
        return false;
    };
    if usize::from(*length) != value.len() || pair.len() >= 0x80 {
        return false;
    }
    match value {
        // stringValue. What is not text is ASCII, too.
        [0x0a, length, text @ ..] => usize::from(*length) == text.len() && is_ascii(pair),
        // intValue
        [0x18, number @ ..] => is_varint(number) && is_ascii(key),
        // boolValue, doubleValue
        [0x10, 0 | 1] | [0x21, _, _, _, _, _, _, _, _] => is_ascii(key),
        _ => false,
    }
}

/// Whether these bytes are one integer of up to nine bytes.
#[inline]
fn is_varint(bytes: &[u8]) -> bool {
    match bytes.split_last() {
        Some((last, others)) => {
            *last < 0x80 && others.len() < 9 && others.iter().all(|byte| *byte >= 0x80)
        }
        None => false,
    }
}

#[inline]
pub(crate) fn check_text(text: &[u8], not_utf8: &mut usize) {
    *not_utf8 += usize::from(!is_ascii(text) && str::from_utf8(text).is_err());
}

/// Whether a text is ASCII. Most texts of spans are short: the one of the standard library is faster from some hundred
/// bytes on.
#[inline]
fn is_ascii(text: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let high = match text.len() {
        0..4 => return text.iter().all(u8::is_ascii),
        4..8 => match (text.first_chunk(), text.last_chunk()) {
            (Some(first), Some(last)) => {
                u64::from(u32::from_ne_bytes(*first) | u32::from_ne_bytes(*last))
            }
            _ => HIGH,
        },
        8..16 => match (text.first_chunk(), text.last_chunk()) {
            (Some(first), Some(last)) => u64::from_ne_bytes(*first) | u64::from_ne_bytes(*last),
            _ => HIGH,
        },
        16..256 => {
            let (chunks, _) = text.as_chunks::<16>();
            let mut all = [0; 2];
            for chunk in chunks.iter().chain(text.last_chunk()) {
                let (halves, _) = chunk.as_chunks::<8>();
                for (all, half) in all.iter_mut().zip(halves) {
                    *all |= u64::from_ne_bytes(*half);
                }
            }
            all[0] | all[1]
        }
        _ => return text.is_ascii(),
    };
    high & HIGH == 0
}

/// Whether a field that repeats holds its numbers in a row, as proto3 sends them.
fn is_packed(holds: Holds, row: &[u8]) -> bool {
    match holds {
        Holds::Double | Holds::Fixed64 | Holds::Sfixed64 => row.len().is_multiple_of(8),
        Holds::Uint64 => Fields::of(row).are_varints(),
        _ => false,
    }
}

// === impl Wrong ===

impl Wrong {
    fn new(problem: Problem) -> Wrong {
        Wrong {
            problem,
            way: Vec::new(),
        }
    }

    /// Notes the field in which something is wrong: `bytes` is the message that holds it, `whole` is all of it.
    #[cold]
    pub(crate) fn below(mut self, bytes: &[u8], whole: &[u8], known: &Known) -> Wrong {
        if known.repeated {
            let before = Fields::of(bytes)
                .flatten()
                .take_while(|other| !std::ptr::eq(other.whole.as_ptr(), whole.as_ptr()));
            let index = before.filter(|other| other.number == known.number).count();
            self.way.push(Step::Index(index));
        }
        self.way.push(Step::Key(known.name));
        self
    }
}

impl From<Malformed> for Wrong {
    #[cold]
    fn from(malformed: Malformed) -> Wrong {
        Wrong::new(Problem::Malformed(malformed))
    }
}

impl From<Wrong> for DecodeError {
    fn from(wrong: Wrong) -> DecodeError {
        match wrong.problem {
            Problem::TooDeep => DecodeError::TooDeep,
            Problem::Malformed(problem) => DecodeError::Protobuf {
                place: Place::from_inside(wrong.way),
                problem,
            },
        }
    }
}

// === impl Holds ===

impl Holds {
    /// Whether one such value is sent with this wire type.
    pub(crate) fn is_sent_as(self, payload: Payload<'_>) -> bool {
        match self {
            Holds::Text | Holds::Id(_) | Holds::Base64 | Holds::Message(_) => {
                matches!(payload, Payload::Bytes(_))
            }
            Holds::Bool
            | Holds::Int64
            | Holds::Uint64
            | Holds::Uint32
            | Holds::Sint32
            | Holds::Count
            | Holds::Enum(_) => matches!(payload, Payload::Varint(_)),
            Holds::Double | Holds::Sfixed64 | Holds::Fixed64 => {
                matches!(payload, Payload::Fixed64(_))
            }
            Holds::Fixed32 => matches!(payload, Payload::Fixed32(_)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::put_bytes;

    #[test]
    fn a_text_is_ascii_where_the_standard_library_says_so() {
        for length in 0..300 {
            let mut text = vec![0x7f; length];
            assert!(is_ascii(&text), "{length}");
            for at in 0..length {
                text[at] = 0x80;
                assert!(!is_ascii(&text), "byte {at} of {length}");
                text[at] = 0;
            }
        }
    }

    /// An attribute whose value is inside this number of maps.
    fn in_maps(levels: usize) -> Vec<u8> {
        let pair = |value: &[u8]| {
            let mut pair = b"\x0a\x01k".to_vec();
            put_bytes(2, value, &mut pair);
            pair
        };
        (0..levels).fold(pair(b"\x0a\x01x"), |inner, _| {
            let (mut map, mut value) = (Vec::new(), Vec::new());
            put_bytes(1, &inner, &mut map);
            put_bytes(6, &map, &mut value);
            pair(&value)
        })
    }

    #[test]
    fn a_plain_value_is_too_deep_where_any_other_is() {
        let is_taken = |levels| check(&in_maps(levels), &KEY_VALUE, &mut 0).is_ok();
        assert!(is_taken(1) && is_taken(MOST_LEVELS));
        assert!(!is_taken(MOST_LEVELS + 1));
    }
}
