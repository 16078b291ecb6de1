//! Why some bytes are no OTLP.

use thiserror::Error;

use crate::place::{Mismatch, Place};

/// Why some bytes are no OTLP request.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// They are not the protobuf message.
    #[error("no OTLP protobuf: {place}: {problem}")]
    Protobuf {
        /// The message with the field that is malformed.
        place: Place,
        /// What is wrong with it.
        problem: Malformed,
    },
    /// They are not JSON.
    #[error("no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// They are JSON, and something in it is not what OTLP has in that place.
    #[error("no OTLP/JSON: {0}")]
    Mismatch(#[from] Mismatch),
    /// An attribute has more levels than are read.
    #[error(
        "a value of an attribute is inside more than {} arrays and maps",
        crate::MOST_LEVELS
    )]
    TooDeep,
}

/// Why some bytes are no field of a protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// The message ends in the middle of a field.
    #[error("the message ends in the middle of a field")]
    CutOff,
    /// An integer has more than ten bytes, or more than 64 bits.
    #[error("an integer has more than 64 bits")]
    Varint,
    /// A field has a number that none can have.
    #[error("a field has the number 0, or one of more than 29 bits")]
    Number,
    /// A field has a wire type that protobuf does not have, or a group that does not end.
    #[error("a field has a wire type that protobuf does not have in this place")]
    WireType,
    /// A known field has another wire type than its own.
    #[error("the field {0} has the wire type of another")]
    OtherType(&'static str),
}
