//! Ids by which spans of different traces can be told to be of the same business: an order, a message.

use trace::{Span, Value};

/// The ids that a span names: texts and numbers of attributes that are called an id, and are one.
pub(crate) fn of(span: &Span) -> impl Iterator<Item = String> + '_ {
    span.attributes.iter().filter_map(|(key, value)| {
        if !is_id_key(key) {
            return None;
        }
        match value {
            Value::String(text) if is_telling(text) => Some(text.clone()),
            Value::Int(number) if *number >= 1_000 => Some(format!("{key}={number}")),
            _ => None,
        }
    })
}

/// Keys of ids that say nothing of the business.
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

/// Whether it is long enough not to be met by chance.
fn is_telling(text: &str) -> bool {
    text.len() >= 6 && text.bytes().any(|byte| byte.is_ascii_digit())
}
