//! Why some bytes are no OTLP.

use thiserror::Error;

use crate::transcode::Mismatch;

/// Why some bytes are no OTLP request.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// They are not the protobuf message.
    #[error("no OTLP protobuf: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// They are not JSON.
    #[error("no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// They are JSON, and something in it is not what OTLP has in that place.
    #[error("no OTLP/JSON: {0}")]
    Mismatch(#[from] Mismatch),
    /// An attribute has more levels than are read.
    #[error(
        "a value of an attribute is inside more than {} arrays and maps",
        crate::mend::MOST_LEVELS
    )]
    TooDeep,
}
