//! OTLP: bytes and JSON from and to the messages of its three signals.
//!
//! | here | in the OTLP specification |
//! | --- | --- |
//! | [`traces_from_json`], [`logs_from_json`], [`metrics_from_json`], [`traces_to_json`] | "JSON Protobuf Encoding": hex ids, enums as numbers, unknown fields ignored |
//! | [`Compression`] | `Content-Encoding` of OTLP/HTTP |
//!
//! The messages are those of the crate `opentelemetry-proto`. It must not know what a span is for: this crate
//! imports nothing of ours.
//!
//! ```
//! let request = otlp::traces_from_json(br#"{"resourceSpans": [{"scopeSpans": []}]}"#).unwrap();
//! assert_eq!(request.resource_spans.len(), 1);
//! let wrong = otlp::traces_from_json(br#"{"resourceSpans": [7]}"#).unwrap_err();
//! assert!(wrong.to_string().contains("resourceSpans[0]"));
//! ```
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

mod compression;
mod error;
mod json;
mod schema;
mod signal;
mod transcode;

pub use compression::{Compression, Failure};
pub use error::DecodeError;
pub use json::{
    logs_from_json, metrics_from_json, traces_from_json, traces_from_value, traces_to_json,
};
pub use signal::other_signal;
pub use transcode::{Mismatch, Place};
