//! Parses YAML into plain values, as far as a Collector's set-up needs it.
//!
//! The result only predicts what the Collector will do; the Collector itself checks the file. So the result
//! of a file that cannot be parsed is `None`, and scalars stay text.

use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value};

/// The first document of a text; every scalar is a string.
pub(crate) fn parse(text: &str) -> Option<Value> {
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, _) = event.ok()?;
        let done = match event {
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Map::new(), None));
                continue;
            }
            Event::Scalar(text, ..) => Value::String(text.into_owned()),
            Event::SequenceEnd | Event::MappingEnd => match open.pop()? {
                Open::List(items) => Value::Array(items),
                Open::Map(pairs, _) => Value::Object(pairs),
            },
            // Aliases are not resolved.
            Event::Alias(_) => Value::Null,
            _ => continue,
        };
        match open.last_mut() {
            None => return Some(done),
            Some(Open::List(items)) => items.push(done),
            Some(Open::Map(pairs, key)) => match (key.take(), done) {
                (Some(key), value) => {
                    pairs.insert(key, value);
                }
                (None, Value::String(text)) => *key = Some(text),
                (None, _) => return None,
            },
        }
    }
    None
}

enum Open {
    List(Vec<Value>),
    /// The pairs so far, and a key that waits for its value.
    Map(Map<String, Value>, Option<String>),
}
