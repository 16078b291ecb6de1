//! Compares values of AMQP field tables, and formats them as RabbitMQ does.

use amq_protocol::types::{AMQPValue, FieldTable};

/// The value of an integer of any size.
pub(crate) fn as_integer(value: &AMQPValue) -> Option<i64> {
    match *value {
        AMQPValue::ShortShortInt(n) => Some(n.into()),
        AMQPValue::ShortShortUInt(n) => Some(n.into()),
        AMQPValue::ShortInt(n) => Some(n.into()),
        AMQPValue::ShortUInt(n) => Some(n.into()),
        AMQPValue::LongInt(n) => Some(n.into()),
        AMQPValue::LongUInt(n) => Some(n.into()),
        AMQPValue::LongLongInt(n) => Some(n),
        _ => None,
    }
}

/// Whether two values are equal: integers by value, whatever their types.
pub(crate) fn is_same(a: &AMQPValue, b: &AMQPValue) -> bool {
    match (as_integer(a), as_integer(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// Formats a value.
pub(crate) fn shown(value: &AMQPValue) -> String {
    match value {
        AMQPValue::LongString(text) => text.to_string(),
        AMQPValue::Boolean(flag) => flag.to_string(),
        value => as_integer(value).map_or_else(|| format!("{value:?}"), |n| n.to_string()),
    }
}

/// Formats a value with its type, in RabbitMQ's words.
pub(crate) fn with_type(value: Option<&AMQPValue>) -> String {
    value.map_or_else(
        || "none".to_owned(),
        |value| {
            format!(
                "the value '{}' of type '{}'",
                shown(value),
                type_name(value)
            )
        },
    )
}

/// RabbitMQ's names of the field types.
pub(crate) fn type_name(value: &AMQPValue) -> &'static str {
    match value {
        AMQPValue::Boolean(_) => "bool",
        AMQPValue::ShortShortInt(_) => "byte",
        AMQPValue::ShortShortUInt(_) => "unsignedbyte",
        AMQPValue::ShortInt(_) => "short",
        AMQPValue::ShortUInt(_) => "unsignedshort",
        AMQPValue::LongInt(_) => "signedint",
        AMQPValue::LongUInt(_) => "unsignedint",
        AMQPValue::LongLongInt(_) => "long",
        AMQPValue::Float(_) => "float",
        AMQPValue::Double(_) => "double",
        AMQPValue::DecimalValue(_) => "decimal",
        AMQPValue::ShortString(_) | AMQPValue::LongString(_) => "longstr",
        AMQPValue::FieldArray(_) => "array",
        AMQPValue::Timestamp(_) => "timestamp",
        AMQPValue::FieldTable(_) => "table",
        AMQPValue::ByteArray(_) => "binary",
        AMQPValue::Void => "void",
    }
}

/// The bytes of memory that a table takes, about.
pub(crate) fn weight(table: &FieldTable) -> usize {
    let entries = table.inner().iter();
    entries
        .map(|(name, value)| ENTRY + name.as_str().len() + weight_of(value))
        .sum()
}

/// The bytes of an entry of a table or an array, besides what it points to.
const ENTRY: usize = 96;

fn weight_of(value: &AMQPValue) -> usize {
    match value {
        AMQPValue::FieldTable(table) => weight(table),
        AMQPValue::FieldArray(array) => array
            .as_slice()
            .iter()
            .map(|value| ENTRY + weight_of(value))
            .sum(),
        AMQPValue::LongString(text) => text.len(),
        AMQPValue::ShortString(text) => text.as_str().len(),
        AMQPValue::ByteArray(octets) => octets.len(),
        _ => 0,
    }
}
