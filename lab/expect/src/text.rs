//! Values of a format that holds all values as text: which typed value a text may have been.

use scenario::{Reference, Want};
use serde_json::Value as Json;
use trace::Value;

use crate::reference::Resolved;

/// Whether a text may be what is asked for, written as text by a format without types.
pub(crate) fn may_be<'t>(
    want: &Want,
    value: &Value,
    same: &impl Fn(&Reference) -> Resolved<'t>,
) -> bool {
    let Some(text) = value.as_str() else {
        return false;
    };
    match want {
        Want::Exactly(want) => is_text_of(want, text),
        Want::Int(range) => text.parse().is_ok_and(|got| range.contains(got)),
        Want::Double(range) => text.parse().is_ok_and(|got| range.contains(got)),
        Want::Matches(_) => false,
        Want::Same(reference) => match same(reference) {
            Resolved::Values(values, _) => values.iter().any(|value| is_text_of(value, text)),
            _ => false,
        },
    }
}

/// Whether a text is what is asked for, but for its case.
pub(crate) fn is_without_case(want: &Want, value: &Value) -> bool {
    match (want, value) {
        (Want::Exactly(Value::String(want)), Value::String(got)) => {
            want.to_lowercase() == got.to_lowercase()
        }
        _ => false,
    }
}

/// Whether a text says a value of another type. How bytes and an empty value are written differs from exporter to
/// exporter.
fn is_text_of(value: &Value, text: &str) -> bool {
    match value {
        Value::String(_) => false,
        Value::Bool(truth) => text.parse() == Ok(*truth),
        Value::Int(number) => text.parse() == Ok(*number),
        Value::Double(number) => text
            .parse()
            .is_ok_and(|got: f64| got == *number || got.is_nan() && number.is_nan()),
        Value::Array(_) | Value::Map(_) => {
            serde_json::from_str::<Json>(text).is_ok_and(|got| got == json_of(value))
        }
        Value::Bytes(_) | Value::Empty => true,
    }
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Empty => Json::Null,
        Value::String(text) => text.as_str().into(),
        Value::Bool(truth) => (*truth).into(),
        Value::Int(number) => (*number).into(),
        Value::Double(number) => (*number).into(),
        Value::Bytes(bytes) => bytes.as_slice().into(),
        Value::Array(values) => values.iter().map(json_of).collect(),
        Value::Map(map) => {
            let pairs = map
                .iter()
                .map(|(key, value)| (key.to_owned(), json_of(value)));
            Json::Object(pairs.collect())
        }
    }
}
