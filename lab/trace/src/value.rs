//! Typed attribute values, as in OTLP: an integer is never a string.

use std::fmt;

use crate::Text;

/// The value of an attribute (OTLP `AnyValue`).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A value that was sent without content: present, and not a string.
    Empty,
    /// UTF-8 text.
    String(Text),
    /// A boolean.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// An IEEE 754 double; `NaN` and `-0.0` are kept as they are.
    Double(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list of values, which may have different types.
    Array(Vec<Value>),
    /// A map of values, in the order of the sender.
    Map(Attributes),
}

/// Attributes in the order of the sender. A key that was sent twice stays twice; `get` returns the first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(pub Vec<(Text, Value)>);

// === impl Value ===

impl Value {
    /// The name of the value's type, in expectations and messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Empty => "empty",
            Value::String(_) => "string",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Double(_) => "double",
            Value::Bytes(_) => "bytes",
            Value::Array(_) => "array",
            Value::Map(_) => "map",
        }
    }

    /// The text of a string value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number of an integer value.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::String(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Bool(truth)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Double(number)
    }
}

/// Prints a value in a readable form: strings in quotes, so that `"20"` and `20` differ.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Empty => write!(f, "(empty)"),
            Value::String(text) => write!(f, "{text:?}"),
            Value::Bool(truth) => write!(f, "{truth}"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Double(number) => write!(f, "{number:?}"),
            Value::Bytes(bytes) => {
                write!(f, "0x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Value::Array(values) => {
                let values: Vec<_> = values.iter().map(Value::to_string).collect();
                write!(f, "[{}]", values.join(", "))
            }
            Value::Map(map) => {
                let pairs: Vec<_> = map.iter().map(|(k, v)| format!("{k}: {v}")).collect();
                write!(f, "{{{}}}", pairs.join(", "))
            }
        }
    }
}

// === impl Attributes ===

impl Attributes {
    /// The value of the first attribute with this key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        // Keys of another length are passed over without a look at their bytes.
        let is_it = |k: &Text| k.len() == key.len() && k.as_bytes() == key.as_bytes();
        self.0.iter().find(|(k, _)| is_it(k)).map(|(_, v)| v)
    }

    /// All keys and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The number of attributes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<Text>, V: Into<Value>> FromIterator<(K, V)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Attributes(
            pairs
                .into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
        )
    }
}
