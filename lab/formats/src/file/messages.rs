//! A file of several messages, as the Collector's file exporter writes them with `format: proto` or with a
//! compression: each message follows its length, 4 bytes, big-endian.

use super::{ReadError, looks::FIELD_1, packing};

/// The messages of a file, if it looks like a file of messages.
///
/// The first byte of a length is zero unless the message has 16 MiB or more, and no other format begins with
/// a zero byte; the lengths of larger messages have to add up.
pub(super) fn of(bytes: &[u8]) -> Option<Messages<'_>> {
    let messages = Messages {
        rest: bytes,
        number: 0,
    };
    let empty = bytes.chunks(4).take_while(|chunk| *chunk == [0; 4]).count();
    let (_, first) = split_length(&bytes[4 * empty..])?;
    let begins = match first.first() {
        Some(byte) => matches!(*byte, FIELD_1 | b'{' | b'[') || packing::name(first).is_some(),
        None => false,
    };
    let add_up = || messages.clone().all(|message| message.is_ok());
    (begins && (bytes[0] == 0 || add_up())).then_some(messages)
}

/// The messages of a file, one after the other. The iterator ends after an incomplete message.
#[derive(Clone)]
pub(super) struct Messages<'a> {
    rest: &'a [u8],
    number: usize,
}

// === impl Messages ===

impl<'a> Iterator for Messages<'a> {
    type Item = Result<&'a [u8], ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let rest = std::mem::take(&mut self.rest);
        let Some((promised, rest)) = split_length(rest) else {
            return Some(Err(ReadError::Cut {
                message: self.number,
                promised: 4,
                there: rest.len(),
            }));
        };
        let Some((message, rest)) = rest.split_at_checked(promised) else {
            return Some(Err(ReadError::Cut {
                message: self.number,
                promised,
                there: rest.len(),
            }));
        };
        self.rest = rest;
        Some(Ok(message))
    }
}

fn split_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*length) as usize, rest))
}
