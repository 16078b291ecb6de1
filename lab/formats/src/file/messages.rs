//! A file of several messages, as the Collector's file exporter writes them with `format: proto` or with a
//! compression: each message follows its length, 4 bytes, big-endian.

use std::io;

use otlp::Window;

use super::{ReadError, looks::FIELD_1, packing};

/// Whether a file looks like one of messages; empty ones at its beginning are skipped.
///
/// The first byte of a length is zero unless the message has 16 MiB or more, and no other format begins with
/// a zero byte; behind a larger message there has to be another, or the end.
pub(super) fn begin(window: &mut Window<'_>) -> io::Result<bool> {
    let bytes = window.held();
    let empty = bytes.chunks(4).take_while(|chunk| *chunk == [0; 4]).count();
    let Some((promised, first)) = split_length(&bytes[4 * empty..]) else {
        return Ok(false);
    };
    if !first.first().is_some_and(|_| begins(first)) {
        return Ok(false);
    }
    if bytes[0] == 0 {
        return Ok(true);
    }
    let end = promised + 4;
    if end > window.most() || !window.fill(end)? {
        return Ok(false);
    }
    window.fill((end + 8).min(window.most()))?;
    let behind = &window.held()[end..];
    Ok(behind.is_empty() || split_length(behind).is_some_and(|(_, next)| begins(next)))
}

fn begins(message: &[u8]) -> bool {
    matches!(message.first(), Some(&FIELD_1 | b'{' | b'[')) || packing::name(message).is_some()
}

/// Takes the next message; `None` at the end. Its number, from 1, is for the error.
pub(super) fn next(window: &mut Window<'_>, number: usize) -> Result<Option<Vec<u8>>, ReadError> {
    let cut = |promised, there| ReadError::Cut {
        message: number,
        promised,
        there,
    };
    let has_length = window.fill(4).map_err(ReadError::Source)?;
    let there = window.held().len();
    let Some((promised, _)) = split_length(window.held()) else {
        debug_assert!(!has_length);
        return match there {
            0 => Ok(None),
            there => Err(cut(4, there)),
        };
    };
    window.consume(4);
    if !window.fill(promised).map_err(ReadError::Source)? {
        return Err(cut(promised, window.held().len()));
    }
    let message = window.held()[..promised].to_vec();
    window.consume(promised);
    Ok(Some(message))
}

fn split_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*length) as usize, rest))
}
