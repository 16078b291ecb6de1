//! The protobuf wire, read in place: the fields of a message, one after the other, without a copy.

use crate::error::Malformed;

/// The fields of an encoded message, in the order in which they were sent.
///
/// It ends after the first field that is malformed.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

/// A field of an encoded message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field<'a> {
    /// Its number.
    pub number: u32,
    /// What it holds.
    pub payload: Payload<'a>,
    /// All its bytes, with the number.
    pub whole: &'a [u8],
}

/// What a field holds, by its wire type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Payload<'a> {
    /// Type 0: an integer, a truth value or an enum.
    Varint(u64),
    /// Type 1: eight bytes, little-endian.
    Fixed64(u64),
    /// Type 2: text, bytes, a message, or numbers in a row.
    Bytes(&'a [u8]),
    /// Type 3: a group, which OTLP does not have. It is skipped.
    Group,
    /// Type 5: four bytes, little-endian.
    Fixed32(u32),
}

/// The nesting of groups that is skipped; prost has the same bound.
const MOST_GROUPS: usize = 100;

// === impl Fields ===

impl<'a> Fields<'a> {
    /// The fields of these bytes.
    #[inline]
    pub fn of(message: &'a [u8]) -> Fields<'a> {
        Fields { rest: message }
    }

    /// Reads the next field; `None` at the end.
    ///
    /// # Errors
    ///
    /// When the rest of the bytes is no field.
    #[inline(always)]
    pub fn read(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        // Most fields that are read here are messages. The way to them is short enough to be a part of each caller.
        match self.message() {
            Some((whole, bytes)) => Ok(Some(Field {
                number: u32::from(whole[0] >> 3),
                payload: Payload::Bytes(bytes),
                whole,
            })),
            None if self.rest.is_empty() => Ok(None),
            None => self.read_any().map(Some),
        }
    }

    #[inline(never)]
    fn read_any(&mut self) -> Result<Field<'a>, Malformed> {
        let start = self.rest;
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).map_err(|_| Malformed::Number)?;
        if number == 0 {
            return Err(Malformed::Number);
        }
        let payload = match key & 7 {
            0 => Payload::Varint(self.varint()?),
            1 => Payload::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                Payload::Bytes(self.take(usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            3 => {
                self.skip_group(number)?;
                Payload::Group
            }
            5 => Payload::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(Malformed::WireType),
        };
        let whole = &start[..start.len() - self.rest.len()];
        Ok(Field {
            number,
            payload,
            whole,
        })
    }

    /// The first byte of the next field; `None` at the end. For fields up to number 15 it says number and wire type.
    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes a field of bytes whose key and length are one byte each, without looking at its number. `None` if the next
    /// field is longer: then [`Fields::read`] takes it.
    #[inline]
    pub(crate) fn short(&mut self) -> Option<&'a [u8]> {
        self.short_if(|_| true)
    }

    /// Takes such a field if its bytes are of this form.
    #[inline]
    pub(crate) fn short_if(&mut self, is_right: impl FnOnce(&'a [u8]) -> bool) -> Option<&'a [u8]> {
        match *self.rest {
            [_, length, ref rest @ ..] if length < 0x80 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(length))?;
                if !is_right(bytes) {
                    return None;
                }
                self.rest = rest;
                Some(bytes)
            }
            _ => None,
        }
    }

    /// Takes a field of bytes whose key is one byte, without looking at its number: all of it, and the bytes. `None` if
    /// it is a field of another type, or if its length takes more than three bytes.
    #[inline]
    pub(crate) fn message(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let low = |byte: u8| usize::from(byte & 0x7f);
        let (length, rest) = match *self.rest {
            [key, ..] if key & 0x87 != 2 || key < 8 => return None,
            [_, a, ref rest @ ..] if a < 0x80 => (low(a), rest),
            [_, a, b, ref rest @ ..] if b < 0x80 => (low(a) | low(b) << 7, rest),
            [_, a, b, c, ref rest @ ..] if c < 0x80 => (low(a) | low(b) << 7 | low(c) << 14, rest),
            _ => return None,
        };
        let (bytes, after) = rest.split_at_checked(length)?;
        let whole = &self.rest[..self.rest.len() - after.len()];
        self.rest = after;
        Some((whole, bytes))
    }

    /// Passes over fields of bytes in a row that have this number, which is below 16. What is malformed is left.
    #[inline]
    pub fn pass(&mut self, number: u32) {
        while self.peek().map(u32::from) == Some(number << 3 | 2) && self.message().is_some() {}
    }

    /// The bytes that are not read yet.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes an integer whose key and value are one byte each.
    #[inline]
    pub(crate) fn short_varint(&mut self) -> Option<u8> {
        match *self.rest {
            [_, value, ref rest @ ..] if value < 0x80 => {
                self.rest = rest;
                Some(value)
            }
            _ => None,
        }
    }

    /// Takes a field of four bytes whose key is this one.
    #[inline]
    pub(crate) fn fixed32_of(&mut self, key: [u8; 2]) -> Option<[u8; 4]> {
        let (field, rest) = self.rest.split_first_chunk::<6>()?;
        let [first, second, value @ ..] = *field;
        if [first, second] != key {
            return None;
        }
        self.rest = rest;
        Some(value)
    }

    /// Takes a field of eight bytes whose key is one byte.
    #[inline]
    pub(crate) fn short_fixed64(&mut self) -> Option<u64> {
        let (field, rest) = self.rest.split_first_chunk::<9>()?;
        let [_, value @ ..] = *field;
        self.rest = rest;
        Some(u64::from_le_bytes(value))
    }

    /// Whether the bytes are integers in a row, and not fields.
    pub(crate) fn are_varints(mut self) -> bool {
        while !self.rest.is_empty() {
            if self.varint().is_err() {
                return false;
            }
        }
        true
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        match *self.rest {
            [byte, ref rest @ ..] if byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            [first, second, ref rest @ ..] if second < 0x80 => {
                self.rest = rest;
                Ok(u64::from(first & 0x7f) | u64::from(second) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for (at, &byte) in self.rest.iter().take(10).enumerate() {
            // The tenth byte has room for one bit.
            if at == 9 && byte > 1 {
                return Err(Malformed::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                self.rest = &self.rest[at + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 {
            Malformed::CutOff
        } else {
            Malformed::Varint
        })
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(Malformed::CutOff)?;
        self.rest = rest;
        Ok(*array)
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(Malformed::CutOff)?;
        self.rest = rest;
        Ok(taken)
    }

    fn skip_group(&mut self, number: u32) -> Result<(), Malformed> {
        let mut open = vec![number];
        while let Some(&innermost) = open.last() {
            let key = self.varint()?;
            let number = u32::try_from(key >> 3).map_err(|_| Malformed::Number)?;
            match key & 7 {
                0 => drop(self.varint()?),
                1 => drop(self.array::<8>()?),
                2 => {
                    let length = self.varint()?;
                    self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
                }
                3 if open.len() < MOST_GROUPS => open.push(number),
                4 if number == innermost => drop(open.pop()),
                5 => drop(self.array::<4>()?),
                _ => return Err(Malformed::WireType),
            }
        }
        Ok(())
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self.read() {
            Ok(field) => field.map(Ok),
            Err(malformed) => {
                self.rest = &[];
                Some(Err(malformed))
            }
        }
    }
}

// === impl Field ===

impl<'a> Field<'a> {
    /// The bytes of a text, of bytes or of a message.
    #[inline]
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match self.payload {
            Payload::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// Appends a field of bytes: its number, the length, the bytes.
pub fn put_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(u64::from(number << 3 | 2), out);
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Appends the number and the length of a field of bytes, which the caller appends then.
pub fn put_length(number: u32, length: usize, out: &mut Vec<u8>) {
    put_varint(u64::from(number << 3 | 2), out);
    put_varint(length as u64, out);
}

/// Appends an integer in groups of seven bits.
#[inline]
pub fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<(u32, Payload<'_>)>, Malformed> {
        Fields::of(bytes)
            .map(|field| field.map(|field| (field.number, field.payload)))
            .collect()
    }

    #[test]
    fn each_wire_type_is_read_and_a_group_is_skipped() {
        let mut bytes = vec![
            0x08, 0x96, 0x01, 0x11, 1, 0, 0, 0, 0, 0, 0, 0, 0x1d, 7, 0, 0, 0,
        ];
        put_bytes(4, b"text", &mut bytes);
        // A group with a group and a number in it.
        bytes.extend([0x2b, 0x33, 0x08, 0x01, 0x34, 0x2c, 0x30, 0x01]);
        let read = all(&bytes).unwrap();
        let right = [
            (1, Payload::Varint(150)),
            (2, Payload::Fixed64(1)),
            (3, Payload::Fixed32(7)),
            (4, Payload::Bytes(b"text")),
            (5, Payload::Group),
            (6, Payload::Varint(1)),
        ];
        assert_eq!(read, right);
    }

    #[test]
    fn what_is_no_field_ends_the_message_with_its_reason() {
        assert_eq!(all(&[0x00]), Err(Malformed::Number));
        assert_eq!(all(&[0x08]), Err(Malformed::CutOff));
        assert_eq!(all(&[0x12, 5, 1]), Err(Malformed::CutOff));
        assert_eq!(all(&[0x0f, 1]), Err(Malformed::WireType));
        assert_eq!(all(&[0x0b, 0x14]), Err(Malformed::WireType));
        let too_long = [&[0x08][..], &[0xff; 10]].concat();
        assert_eq!(all(&too_long), Err(Malformed::Varint));
        let greatest = [&[0x08][..], &[0xff; 9], &[1]].concat();
        assert_eq!(all(&greatest), Ok(vec![(1, Payload::Varint(u64::MAX))]));
    }

    #[test]
    fn a_varint_of_any_length_comes_back() {
        for value in [0, 1, 127, 128, 300, 1 << 14, 1 << 35, u64::MAX] {
            let mut bytes = vec![0x08];
            put_varint(value, &mut bytes);
            assert_eq!(all(&bytes), Ok(vec![(1, Payload::Varint(value))]));
        }
    }
}
