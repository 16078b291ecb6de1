//! `CC` and `BCC`: headers of a message with further routing keys (an extension of RabbitMQ, "Sender-selected
//! Distribution").
//!
//! Each is an array; elements that are not text are ignored. Consumers see `CC` and never `BCC`.

use std::collections::BTreeMap;

use amq_protocol::types::{AMQPValue, FieldArray, FieldTable, ShortString};

use crate::field_value::type_name;
use crate::reply_code::{Refusal, ReplyCode};

const CC: &str = "CC";
const BCC: &str = "BCC";

/// Whether these headers have one of the two.
pub(crate) fn are_in(headers: &FieldTable) -> bool {
    headers.contains_key(CC) || headers.contains_key(BCC)
}

/// Whether these headers have a `BCC`, which must be taken off.
pub(crate) fn are_blind_in(headers: &FieldTable) -> bool {
    headers.contains_key(BCC)
}

/// The routing keys of both.
pub(crate) fn keys(headers: &FieldTable) -> Result<Vec<String>, Refusal> {
    let mut keys = Vec::new();
    for name in [CC, BCC] {
        match headers.inner().get(name) {
            None => {}
            Some(AMQPValue::FieldArray(values)) => {
                keys.extend(values.as_slice().iter().filter_map(text));
            }
            Some(other) => {
                let text = format!(
                    "invalid message: {{unacceptable_type_in_header,\"{name}\",{}}}",
                    type_name(other)
                );
                return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
            }
        }
    }
    Ok(keys)
}

/// Headers that have these further routing keys.
pub(crate) fn table(keys: &[String]) -> FieldTable {
    let keys = keys
        .iter()
        .map(|key| AMQPValue::LongString(key.as_str().into()));
    let mut table = FieldTable::default();
    table.insert(
        CC.into(),
        AMQPValue::FieldArray(FieldArray::from(keys.collect::<Vec<_>>())),
    );
    table
}

/// The headers without `BCC`.
pub(crate) fn without_bcc(headers: &FieldTable) -> FieldTable {
    without(headers, BCC)
}

/// The headers without `CC`.
pub(crate) fn without_cc(headers: &FieldTable) -> FieldTable {
    without(headers, CC)
}

fn without(headers: &FieldTable, unwanted: &str) -> FieldTable {
    let entries = headers.inner().iter();
    let kept: BTreeMap<ShortString, AMQPValue> = entries
        .filter(|(name, _)| name.as_str() != unwanted)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    FieldTable::from(kept)
}

fn text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        _ => None,
    }
}
