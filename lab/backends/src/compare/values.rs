//! What became of values, and of the attributes that hold them.

use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use serde_json::Value as Json;
use trace::Value;

use super::Difference;
use crate::loss::{Field, How};

/// The attributes of two lists that are not the same in both.
#[derive(Debug)]
pub(super) struct Attributes<'a> {
    /// Pairs of one key.
    changed: Vec<(&'a str, &'a Value, &'a Value)>,
    missing: Vec<(&'a str, &'a Value)>,
    added: Vec<(&'a str, &'a Value)>,
}

// === impl Attributes ===

impl<'a> Attributes<'a> {
    /// Pairs the values of each key. A key may be there more than once.
    pub(super) fn of(sent: &'a trace::Attributes, got: &'a trace::Attributes) -> Attributes<'a> {
        let mut left: std::collections::HashMap<&str, Vec<&'a Value>> = Default::default();
        for (key, value) in got.iter() {
            left.entry(key).or_default().push(value);
        }
        let mut unlike = Vec::new();
        for (key, value) in sent.iter() {
            let same = left.get_mut(key);
            let at = same
                .as_ref()
                .and_then(|same| same.iter().position(|got| is_same(value, got)));
            match (same, at) {
                (Some(same), Some(at)) => drop(same.remove(at)),
                _ => unlike.push((key, value)),
            }
        }
        let (mut changed, mut missing) = (Vec::new(), Vec::new());
        for (key, value) in unlike {
            match left.get_mut(key).filter(|same| !same.is_empty()) {
                Some(same) => changed.push((key, value, same.remove(0))),
                None => missing.push((key, value)),
            }
        }
        let mut added = Vec::new();
        for (key, value) in got.iter() {
            if let Some(same) = left.get_mut(key)
                && let Some(at) = same.iter().position(|left| std::ptr::eq(*left, value))
            {
                same.remove(at);
                added.push((key, value));
            }
        }
        Attributes {
            changed,
            missing,
            added,
        }
    }

    /// Takes out of these what stands in another list, where it was not sent.
    pub(super) fn moved_to(
        &mut self,
        other: &mut Attributes<'a>,
        field: Field,
        found: &mut Vec<Difference>,
    ) {
        self.missing.retain(|(key, value)| {
            let Some(at) = other.added.iter().position(|(other, _)| other == key) else {
                return true;
            };
            let (_, there) = other.added.remove(at);
            found.push(Difference::at(
                field,
                How::Moved,
                key,
                Some(value),
                Some(there),
            ));
            false
        });
    }

    /// Adds what is left to the differences.
    pub(super) fn tell(self, field: Field, found: &mut Vec<Difference>) {
        for (key, sent, got) in self.changed {
            found.push(Difference::at(
                field,
                of_values(sent, got),
                key,
                Some(sent),
                Some(got),
            ));
        }
        for (key, sent) in self.missing {
            found.push(Difference::at(field, How::Missing, key, Some(sent), None));
        }
        for (key, got) in self.added {
            found.push(Difference::at(field, How::Added, key, None, Some(got)));
        }
    }
}

/// Whether two values are the same, `NaN` and the sign of zero included. The order of a map does not count.
fn is_same(sent: &Value, got: &Value) -> bool {
    match (sent, got) {
        (Value::Double(sent), Value::Double(got)) => {
            sent.to_bits() == got.to_bits() || (sent.is_nan() && got.is_nan())
        }
        (Value::Array(sent), Value::Array(got)) => {
            sent.len() == got.len() && sent.iter().zip(got).all(|(sent, got)| is_same(sent, got))
        }
        (Value::Map(sent), Value::Map(got)) => {
            let Attributes {
                changed,
                missing,
                added,
            } = Attributes::of(sent, got);
            changed.is_empty() && missing.is_empty() && added.is_empty()
        }
        (sent, got) => sent == got,
    }
}

/// What happened to a value that is not the same any more.
fn of_values(sent: &Value, got: &Value) -> How {
    match (sent, got) {
        (Value::String(sent), Value::String(got)) if got.is_empty() && !sent.is_empty() => {
            How::Emptied
        }
        (Value::String(sent), Value::String(got)) => of_texts(sent, got),
        (sent, Value::Empty) if *sent != Value::Empty => How::Emptied,
        (sent, Value::String(got)) if is_text_of(sent, got) => How::AsText,
        (Value::Bytes(sent), Value::Bytes(got)) if got.is_empty() && !sent.is_empty() => {
            How::Emptied
        }
        (Value::Bytes(sent), Value::Bytes(got)) if sent.starts_with(got) => How::Truncated,
        (Value::Array(sent), Value::Array(got)) if got.is_empty() && !sent.is_empty() => {
            How::Emptied
        }
        (Value::Array(sent), Value::Array(got))
            if got.len() < sent.len()
                && sent.iter().zip(got).all(|(sent, got)| is_same(sent, got)) =>
        {
            How::Truncated
        }
        (sent, Value::String(got)) if got.is_empty() && *sent != Value::Empty => How::Emptied,
        (sent, got) if sent.type_name() != got.type_name() => How::OtherType,
        _ => How::Changed,
    }
}

/// What happened to a text that is not the same any more.
pub(super) fn of_texts(sent: &str, got: &str) -> How {
    // Some backends mark the end that they cut off.
    let begun = got.trim_end_matches("...").trim_end_matches('…');
    if got == sent.to_lowercase() {
        How::LowerCased
    } else if !begun.is_empty() && begun.len() < sent.len() && sent.starts_with(begun) {
        How::Truncated
    } else {
        How::Changed
    }
}

/// Whether a text says the value of another type, as it is usually written: JSON, base64 of bytes.
fn is_text_of(sent: &Value, got: &str) -> bool {
    match sent {
        Value::Empty => got.is_empty() || got == "null",
        Value::String(_) => false,
        Value::Bool(truth) => got == truth.to_string(),
        Value::Int(number) => got == number.to_string(),
        Value::Double(number) => got.parse::<f64>().is_ok_and(|got| {
            got.to_bits() == number.to_bits() || (got.is_nan() && number.is_nan())
        }),
        Value::Bytes(bytes) => got == BASE64.encode(bytes),
        Value::Array(_) | Value::Map(_) => {
            serde_json::from_str::<Json>(got).is_ok_and(|got| is_json_of(sent, &got))
        }
    }
}

fn is_json_of(sent: &Value, got: &Json) -> bool {
    match (sent, got) {
        (Value::Empty, Json::Null) => true,
        (Value::String(sent), Json::String(got)) => sent == got,
        (Value::Bool(sent), Json::Bool(got)) => sent == got,
        (Value::Int(sent), got) => {
            got.as_i64() == Some(*sent) || got.as_str() == Some(&sent.to_string())
        }
        (Value::Double(sent), got) => got.as_f64() == Some(*sent),
        (Value::Bytes(sent), Json::String(got)) => *got == BASE64.encode(sent),
        (Value::Array(sent), Json::Array(got)) => {
            sent.len() == got.len()
                && sent
                    .iter()
                    .zip(got)
                    .all(|(sent, got)| is_json_of(sent, got))
        }
        (Value::Map(sent), Json::Object(got)) => {
            sent.len() == got.len()
                && sent
                    .iter()
                    .all(|(key, sent)| got.get(key).is_some_and(|got| is_json_of(sent, got)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_to_a_value_is_named() {
        let text = |text: &str| Value::from(text);
        for (sent, got, how) in [
            (Value::Int(5), text("5"), How::AsText),
            (Value::Int(5), text("6"), How::OtherType),
            (Value::Int(5), Value::Double(5.0), How::OtherType),
            (Value::Double(1e21), text("1e+21"), How::AsText),
            (Value::Double(0.25), Value::Double(0.2), How::Changed),
            (Value::Double(-0.0), Value::Double(0.0), How::Changed),
            (Value::Bytes(vec![1, 2]), text("AQI="), How::AsText),
            (
                Value::Array(vec![1.into(), "a".into()]),
                text("[1,\"a\"]"),
                How::AsText,
            ),
            (Value::Array(vec![1.into()]), text(""), How::Emptied),
            (text("Name"), text("name"), How::LowerCased),
            (text("abcdef"), text("abc"), How::Truncated),
            (text("abcdef"), text("abc..."), How::Truncated),
            (text("abc"), text(""), How::Emptied),
            (text("abc"), text("xyz"), How::Changed),
            (Value::Empty, text(""), How::AsText),
        ] {
            assert!(!is_same(&sent, &got), "{sent} and {got}");
            assert_eq!(of_values(&sent, &got), how, "{sent} became {got}");
        }
        assert!(is_same(&Value::Double(f64::NAN), &Value::Double(f64::NAN)));
    }
}
