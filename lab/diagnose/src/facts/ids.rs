//! Business ids, such as an order or a message id, by which spans of different traces are connected.

use std::fmt::Write;

use trace::{Span, Text, Value};

/// The ids that a span names: text and numbers of attributes whose keys and values look like ids.
pub(crate) fn of(span: &Span) -> impl Iterator<Item = Text> + '_ {
    span.attributes.iter().filter_map(|(key, value)| {
        if !is_id_key(key) {
            return None;
        }
        match value {
            Value::String(text) if is_telling(text) => Some(text.clone()),
            Value::Int(number) if *number >= 1_000 => {
                let mut id = Text::new(key);
                let _ = write!(id, "={number}");
                Some(id)
            }
            _ => None,
        }
    })
}

/// Keys of technical ids, which say nothing about the business.
const TECHNICAL: [&str; 9] = [
    "lab.",
    "thread.",
    "process.",
    "host.",
    "container.",
    "k8s.",
    "cloud.",
    "service.",
    "messaging.client",
];

fn is_id_key(key: &str) -> bool {
    let named_so =
        key.ends_with(".id") || key.ends_with("_id") || key.ends_with("Id") || key == "id";
    named_so && !TECHNICAL.iter().any(|start| key.starts_with(start))
}

/// Whether an id is long enough that two equal ones are no coincidence.
fn is_telling(text: &str) -> bool {
    text.len() >= 6 && text.bytes().any(|byte| byte.is_ascii_digit())
}
