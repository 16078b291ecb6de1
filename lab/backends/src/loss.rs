//! [`Loss`]: what may happen to a part of a trace, in words that a profile can hold.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use trace::Value;

/// What happened to a part of a trace, such as `span.start: cut to microseconds` or `span.attribute[int]: as text`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Loss {
    /// The part.
    pub field: Field,
    /// The type of the value that was sent; `None` unless the part is an attribute.
    pub of: Option<ValueType>,
    /// What happened to it.
    pub how: How,
}

/// A text that is no [`Loss`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LossError {
    /// There is no colon in it.
    #[error("{0:?} is not of the form \"FIELD: HOW\", such as \"span.start: cut to microseconds\"")]
    Form(String),
    /// It names no part of a trace.
    #[error("there is no part {0:?} of a trace; there are {all}", all = Field::all())]
    Field(String),
    /// It names no type of a value.
    #[error("there is no type {0:?} of a value; there are {all}", all = ValueType::all())]
    Type(String),
    /// It names nothing that can happen.
    #[error("there is nothing called {0:?} that can happen to it; there are {all}", all = How::all())]
    How(String),
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$of])* $variant),* }

        impl $name {
            /// Its name in a profile and in reports.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }

            /// All names, for a message.
            fn all() -> String {
                [$($text),*].join(", ")
            }

            fn parse(text: &str) -> Option<$name> {
                match text { $($text => Some($name::$variant),)* _ => None }
            }
        }
    };
}

words! {
    /// A part of a trace.
    Field {
        /// The whole trace.
        Trace = "trace",
        /// The bytes of a span, where all that they say is the same.
        Bytes = "span.bytes",
        /// A whole span.
        Span = "span",
        /// The id of a span.
        SpanId = "span.id",
        /// The id of its trace.
        TraceId = "span.trace-id",
        /// The id of its parent.
        Parent = "span.parent",
        /// Its `tracestate`.
        TraceState = "span.tracestate",
        /// Its flags.
        Flags = "span.flags",
        /// Its name.
        Name = "span.name",
        /// Its kind.
        Kind = "span.kind",
        /// Its start.
        Start = "span.start",
        /// Its end.
        End = "span.end",
        /// The code of its status.
        Status = "span.status",
        /// The message of its status.
        StatusMessage = "span.status-message",
        /// An attribute of it.
        Attribute = "span.attribute",
        /// The number of its dropped attributes.
        DroppedAttributes = "span.dropped-attributes",
        /// The number of its dropped events.
        DroppedEvents = "span.dropped-events",
        /// The number of its dropped links.
        DroppedLinks = "span.dropped-links",
        /// A whole event.
        Event = "event",
        /// The name of an event.
        EventName = "event.name",
        /// The time of an event.
        EventTime = "event.time",
        /// An attribute of an event.
        EventAttribute = "event.attribute",
        /// The number of dropped attributes of an event.
        EventDropped = "event.dropped-attributes",
        /// A whole link.
        Link = "link",
        /// The `tracestate` of a link.
        LinkTraceState = "link.tracestate",
        /// The flags of a link.
        LinkFlags = "link.flags",
        /// An attribute of a link.
        LinkAttribute = "link.attribute",
        /// The number of dropped attributes of a link.
        LinkDropped = "link.dropped-attributes",
        /// An attribute of the resource.
        ResourceAttribute = "resource.attribute",
        /// The number of dropped attributes of the resource.
        ResourceDropped = "resource.dropped-attributes",
        /// The schema URL of the resource.
        ResourceSchemaUrl = "resource.schema-url",
        /// The name of the scope.
        ScopeName = "scope.name",
        /// The version of the scope.
        ScopeVersion = "scope.version",
        /// An attribute of the scope.
        ScopeAttribute = "scope.attribute",
        /// The number of dropped attributes of the scope.
        ScopeDropped = "scope.dropped-attributes",
        /// The schema URL of the scope.
        ScopeSchemaUrl = "scope.schema-url",
        /// What a search finds.
        Search = "search",
        /// What is beyond a limit of the backend.
        Limit = "limit",
        /// A metric that is made from spans.
        Metric = "metric",
    }
}

words! {
    /// The type of a value that was sent.
    ValueType {
        /// No content.
        Empty = "empty",
        /// Text.
        String = "string",
        /// True or false.
        Bool = "bool",
        /// A signed integer of 64 bits.
        Int = "int",
        /// A double.
        Double = "double",
        /// Bytes.
        Bytes = "bytes",
        /// A list.
        Array = "array",
        /// A map.
        Map = "map",
    }
}

words! {
    /// What happened to a part of a trace.
    How {
        /// It was sent and did not come back.
        Missing = "missing",
        /// It came back and was never sent.
        Added = "added",
        /// It came back more often than it was sent.
        Duplicated = "duplicated",
        /// The receiver answered that it does not take it.
        Refused = "refused",
        /// The backend's API answers with an error where it is.
        Unreadable = "unreadable",
        /// What is below a microsecond was cut off.
        CutToMicroseconds = "cut to microseconds",
        /// It is the nearest microsecond, or the one after it.
        RoundedToMicroseconds = "rounded to microseconds",
        /// What is below a millisecond was cut off.
        CutToMilliseconds = "cut to milliseconds",
        /// Upper-case letters became lower case.
        LowerCased = "lower-cased",
        /// The value is there as text.
        AsText = "as text",
        /// The value is there with another type.
        OtherType = "other type",
        /// The end of it was cut off.
        Truncated = "truncated",
        /// It is there and holds nothing.
        Emptied = "emptied",
        /// It was exchanged with that of another.
        Swapped = "swapped",
        /// It stands in another place: that of a resource or scope among the attributes of the span.
        Moved = "moved to the span",
        /// It is another value.
        Changed = "changed",
    }
}

// === impl ValueType ===

impl From<&Value> for ValueType {
    fn from(value: &Value) -> ValueType {
        match value {
            Value::Empty => ValueType::Empty,
            Value::String(_) => ValueType::String,
            Value::Bool(_) => ValueType::Bool,
            Value::Int(_) => ValueType::Int,
            Value::Double(_) => ValueType::Double,
            Value::Bytes(_) => ValueType::Bytes,
            Value::Array(_) => ValueType::Array,
            Value::Map(_) => ValueType::Map,
        }
    }
}

// === impl Loss ===

impl Loss {
    /// What happened to a part that is no attribute.
    pub fn new(field: Field, how: How) -> Loss {
        Loss {
            field,
            of: None,
            how,
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field.as_str())?;
        if let Some(of) = self.of {
            write!(f, "[{}]", of.as_str())?;
        }
        write!(f, ": {}", self.how.as_str())
    }
}

impl FromStr for Loss {
    type Err = LossError;

    fn from_str(text: &str) -> Result<Loss, LossError> {
        let form = || LossError::Form(text.to_owned());
        let (field, how) = text.split_once(':').ok_or_else(form)?;
        let (field, of) = match field.trim().split_once('[') {
            None => (field.trim(), None),
            Some((field, of)) => {
                let of = of.strip_suffix(']').ok_or_else(form)?;
                let of = ValueType::parse(of).ok_or_else(|| LossError::Type(of.to_owned()))?;
                (field, Some(of))
            }
        };
        let how = how.trim();
        Ok(Loss {
            field: Field::parse(field).ok_or_else(|| LossError::Field(field.to_owned()))?,
            of,
            how: How::parse(how).ok_or_else(|| LossError::How(how.to_owned()))?,
        })
    }
}

impl Serialize for Loss {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Loss {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Loss, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_read_as_it_is_written() {
        for text in [
            "span.start: cut to microseconds",
            "event.attribute[int]: as text",
            "trace: refused",
        ] {
            assert_eq!(text.parse::<Loss>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_loss_is_named() {
        let error = |text: &str| text.parse::<Loss>().unwrap_err().to_string();
        assert!(error("span.start").contains("FIELD: HOW"));
        assert!(error("span.begin: missing").contains("\"span.begin\""));
        assert!(error("span.attribute[number]: missing").contains("\"number\""));
        assert!(error("span.name: gone").contains("\"gone\""));
    }
}
