//! A tree of JSON that takes no more memory than it may: two bytes of a text may become a hundred.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value as Json};

use super::ParseError;

/// Reads a value.
pub(super) fn within<'de>(
    json: impl Deserializer<'de, Error = serde_json::Error>,
    room: usize,
) -> Result<Json, ParseError> {
    let mut room = Room {
        left: room,
        is_over: false,
    };
    let read = Tree(&mut room).deserialize(json);
    match room.is_over {
        true => Err(ParseError::TooLarge),
        false => Ok(read?),
    }
}

struct Room {
    left: usize,
    is_over: bool,
}

/// A key and its value in an object: both, a hash, and a place in the table of hashes. While an object grows, twice as
/// much is allocated.
const ENTRY: usize = 2 * (size_of::<String>() + size_of::<Json>() + 2 * size_of::<usize>());
/// A value in an array that grows.
const ITEM: usize = 2 * size_of::<Json>();

// === impl Room ===

impl Room {
    fn take<E: serde::de::Error>(&mut self, bytes: usize) -> Result<(), E> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.is_over = true;
                Err(E::custom("too large"))
            }
        }
    }
}

struct Tree<'r>(&'r mut Room);

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Json, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Json, E> {
        self.0.take(value.len())?;
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = array.next_element_seed(Tree(self.0))? {
            self.0.take(ITEM)?;
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json, A::Error> {
        let mut entries = Map::new();
        while let Some(key) = object.next_key::<String>()? {
            self.0.take(ENTRY + key.len())?;
            entries.insert(key, object.next_value_seed(Tree(self.0))?);
        }
        Ok(Json::Object(entries))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;
    use crate::parse::parse;

    #[test]
    fn a_tree_is_that_of_serde_json() {
        let text = r#"{"a": [1, -2, 1.5, null, true, "x\u00e9", {}, []], "b": {"c": 18446744073709551615}}"#;
        let right: Json = serde_json::from_str(text).unwrap();
        assert_eq!(parse(text.as_bytes(), 1 << 20).unwrap(), (right, 0));
    }

    #[test]
    fn what_takes_more_memory_than_it_may_is_refused() {
        let text = format!("[{}1]", "{},".repeat(1_000));
        let room = 1_001 * ITEM;
        assert!(parse(text.as_bytes(), room).is_ok());
        let refused = parse(text.as_bytes(), room - 1).unwrap_err();
        assert!(matches!(refused, ParseError::TooLarge));
    }
}
