//! How much memory an encoded span takes once it is decoded, found out without decoding it.

use otlp::wire::{Field, Fields};

use crate::{Event, Link, Resource, Scope, Span, Text, Value};

/// The bytes that [`super::span`] allocates for an encoded span: two bytes of it may become a hundred. The resource and
/// the scope, which spans share, are not counted.
pub fn decoded_size(message: &[u8]) -> usize {
    let inner = fields(message).map(|field| {
        let bytes = field.bytes().unwrap_or_default();
        match field.number {
            9 => of_attribute(bytes),
            11 => size_of::<Event>() + of_fields(bytes, 3),
            13 => size_of::<Link>() + of_fields(bytes, 4),
            15 => of_fields(bytes, 0),
            _ => of_text(bytes),
        }
    });
    size_of::<Span>() + inner.sum::<usize>()
}

/// The bytes that [`super::resource`] or [`super::scope`] allocates for an encoded `ResourceSpans` or `ScopeSpans`, and
/// what it takes to share them.
pub fn decoded_shared_size(envelope: &[u8]) -> usize {
    let inner = fields(envelope).filter(|field| field.number == 1);
    let inner = inner.flat_map(|field| fields(field.bytes().unwrap_or_default()));
    let inner = inner.map(|field| match field.bytes() {
        // A name or a version is no attribute, and is counted as one.
        Some(bytes) => of_attribute(bytes) + 3 * bytes.len(),
        None => 0,
    });
    size_of::<Resource>() + size_of::<Scope>() + envelope.len() + inner.sum::<usize>()
}

/// A message whose attributes have this number, and whose other fields are texts and numbers.
fn of_fields(message: &[u8], attributes: u32) -> usize {
    let inner = fields(message).map(|field| {
        let bytes = field.bytes().unwrap_or_default();
        match field.number == attributes {
            true => of_attribute(bytes),
            false => of_text(bytes),
        }
    });
    inner.sum()
}

fn of_attribute(pair: &[u8]) -> usize {
    let inner = fields(pair).map(|field| {
        let bytes = field.bytes().unwrap_or_default();
        match field.number {
            2 => of_value(bytes, 0),
            _ => of_text(bytes),
        }
    });
    size_of::<(Text, Value)>() + inner.sum::<usize>()
}

/// What a value owns, inside this number of arrays and maps; deeper than decoded there is nothing.
fn of_value(value: &[u8], levels: usize) -> usize {
    if levels > otlp::MOST_LEVELS {
        return 0;
    }
    let inner = fields(value).map(|field| {
        let bytes = field.bytes().unwrap_or_default();
        let items = || fields(bytes).map(|item| item.bytes().unwrap_or_default());
        match field.number {
            5 => items()
                .map(|item| size_of::<Value>() + of_value(item, levels + 1))
                .sum(),
            6 => items()
                .map(|pair| {
                    let parts = fields(pair).map(|part| {
                        let bytes = part.bytes().unwrap_or_default();
                        match part.number {
                            2 => of_value(bytes, levels + 1),
                            _ => of_text(bytes),
                        }
                    });
                    size_of::<(Text, Value)>() + parts.sum::<usize>()
                })
                .sum(),
            7 => bytes.len(),
            _ => of_text(bytes),
        }
    });
    inner.sum()
}

/// Short text stands in its place; U+FFFD has three bytes in place of one.
fn of_text(bytes: &[u8]) -> usize {
    match bytes.len() {
        length if length <= size_of::<Text>() && bytes.is_ascii() => 0,
        length if bytes.is_ascii() => length,
        length => 3 * length,
    }
}

fn fields(message: &[u8]) -> impl Iterator<Item = Field<'_>> {
    Fields::of(message).map_while(Result::ok)
}

#[cfg(test)]
mod tests {
    use otlp::wire::put_bytes;

    use super::*;

    #[test]
    fn small_bytes_may_become_much_memory() {
        let mut message = Vec::new();
        for _ in 0..1_000 {
            put_bytes(9, b"", &mut message);
            put_bytes(11, b"", &mut message);
        }
        let least = 1_000 * (size_of::<(Text, Value)>() + size_of::<Event>());
        assert!(decoded_size(&message) >= least);
        assert!(message.len() < least / 20);
    }

    #[test]
    fn values_in_arrays_and_maps_count_too() {
        let long = "a text of more than twenty-four bytes";
        let mut value = Vec::new();
        put_bytes(1, long.as_bytes(), &mut value);
        let mut array = Vec::new();
        put_bytes(1, &value, &mut array);
        put_bytes(1, &value, &mut array);
        let (mut outer, mut pair, mut message) = (Vec::new(), Vec::new(), Vec::new());
        put_bytes(5, &array, &mut outer);
        put_bytes(2, &outer, &mut pair);
        put_bytes(9, &pair, &mut message);
        let right =
            size_of::<Span>() + size_of::<(Text, Value)>() + 2 * (size_of::<Value>() + long.len());
        assert_eq!(decoded_size(&message), right);
    }
}
