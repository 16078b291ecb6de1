//! OTLP in and out: spans from and to its protobuf and its JSON form.
//!
//! | here | in the OTLP specification |
//! | --- | --- |
//! | [`from_protobuf`], [`to_protobuf`] | `opentelemetry/proto/collector/trace/v1`, `ExportTraceServiceRequest` |
//! | [`from_json`], [`to_json`] | "JSON Protobuf Encoding": hex ids, enums as numbers, unknown fields ignored |
//! | [`Decoded::rejected`] | "Partial Success": what of a request could not be taken, and why |
//!
//! A request that is no OTLP at all is a [`DecodeError`]. A request in which some spans cannot be
//! used is [`Decoded`]: its good spans, and a reason for each of the others.

mod decode;
mod encode;
mod json;
mod schema;
mod transcode;

pub use decode::{Decoded, Problem, Rejected, from_protobuf, from_request, other_signal};
pub use encode::{to_protobuf, to_request};
pub use json::{
    from_json, from_json_value, logs_from_json, metrics_from_json, to_json, traces_from_json,
};
pub use transcode::{Mismatch, Place};

use thiserror::Error;

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
}
