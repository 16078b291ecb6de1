//! OTLP: bytes and JSON from and to the messages of its three signals.
//!
//! | here | in the OTLP specification |
//! | --- | --- |
//! | [`traces_from_json`], [`logs_from_json`], [`metrics_from_json`], [`traces_to_json`] | "JSON Protobuf Encoding": hex ids, enums as numbers, unknown fields ignored |
//! | [`traces_from_protobuf`], [`logs_from_protobuf`], [`metrics_from_protobuf`] | "Binary Protobuf Encoding" |
//! | [`Compression`] | `Content-Encoding` of OTLP/HTTP |
//!
//! The messages are those of the crate `opentelemetry-proto`. It must not know what a span is for: this crate
//! imports nothing of ours.
//!
//! ```
//! let read = otlp::traces_from_json(br#"{"resourceSpans": [{"scopeSpans": []}]}"#).unwrap();
//! assert_eq!(read.request.resource_spans.len(), 1);
//! let wrong = otlp::traces_from_json(br#"{"resourceSpans": [7]}"#).unwrap_err();
//! assert!(wrong.to_string().contains("resourceSpans[0]"));
//! ```
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

mod compression;
mod error;
mod graft;
mod json;
mod mend;
mod parse;
mod protobuf;
mod schema;
mod signal;
mod transcode;

pub use compression::{Compression, Failure};
pub use error::DecodeError;
pub use json::{
    logs_from_json, metrics_from_json, traces_from_json, traces_from_value, traces_to_json,
};
pub use mend::{MOST_LEVELS, Read};
pub use parse::parse;
pub use protobuf::{logs_from_protobuf, metrics_from_protobuf, traces_from_protobuf};
pub use signal::other_signal;
pub use transcode::{Mismatch, Place};
