//! What is read of each span: its ids, and of some the start.

use otlp::{
    Malformed,
    wire::{Field, Fields, Payload},
};

/// A trace id and a span id.
pub(super) type Ids = ([u8; 16], [u8; 8]);

/// The ids of a span; `None` if one is missing.
#[inline]
pub(super) fn ids(span: &[u8]) -> Result<Option<Ids>, Malformed> {
    // As nearly all senders write them.
    if let Some((head, _)) = span.split_first_chunk::<28>()
        && let [0x0a, 16, trace @ .., 0x12, 8, _, _, _, _, _, _, _, _] = head
    {
        let span_id = head[20..].try_into().expect("there are eight bytes more");
        return Ok(Some((*trace, span_id)));
    }
    let (mut trace, mut id) = (None, None);
    for field in Fields::of(span) {
        let field = field?;
        match (field.number, field.payload) {
            (1, Payload::Bytes(bytes)) => trace = bytes.try_into().ok(),
            (2, Payload::Bytes(bytes)) => id = bytes.try_into().ok(),
            _ => {}
        }
    }
    Ok(trace.zip(id))
}

/// The start of a span.
pub(super) fn start_of(span: &[u8]) -> Result<Option<u64>, Malformed> {
    for field in Fields::of(span) {
        if let Field {
            number: 7,
            payload: Payload::Fixed64(start),
            ..
        } = field?
        {
            return Ok(Some(start));
        }
    }
    Ok(None)
}
