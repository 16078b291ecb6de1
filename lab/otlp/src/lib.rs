//! OTLP's three signals as bytes: read in place, checked, and written over from and to JSON.
//!
//! | here | in the OTLP specification |
//! | --- | --- |
//! | [`walk`], [`count_log_records`], [`count_data_points`] | "Binary Protobuf Encoding" |
//! | [`traces_from_json`], [`logs_from_json`], [`metrics_from_json`], [`traces_to_json`] | "JSON Protobuf Encoding": hex ids, enums as numbers, unknown fields ignored |
//! | [`Compression`] | `Content-Encoding` of OTLP/HTTP |
//!
//! No message is built: a request stays the bytes that came, and what is needed of it is read there ([`wire`]). It
//! must not know what a span is for: this crate imports nothing of ours.
//!
//! ```
//! let read = otlp::traces_from_json(br#"{"resourceSpans": [{"scopeSpans": []}]}"#).unwrap();
//! assert_eq!(read.bytes, [0x0a, 0], "one ResourceSpans that holds nothing");
//! let wrong = otlp::traces_from_json(br#"{"resourceSpans": [7]}"#).unwrap_err();
//! assert!(wrong.to_string().contains("resourceSpans[0]"));
//! ```
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

mod check;
mod compression;
mod error;
mod json;
mod parse;
mod place;
mod schema;
mod signal;
mod stream;
mod traces;
mod transcode;
mod window;
pub mod wire;

pub use compression::{Compression, Failure};
pub use error::{DecodeError, Malformed};
pub use json::{JsonPieces, traces_to_json};
pub use parse::{ParseError, length_of, parse, parse_first};
pub use place::{Mismatch, Place};
pub use signal::{Counted, count_data_points, count_log_records, other_signal};
pub use stream::{Piece, StreamError, Streamed, Taken, begins_with_resources, stream_traces};
pub use traces::{Head, Part, Walked, head, walk};
pub use transcode::Transcoded;
pub use window::{TextPlace, Window};

/// The highest number of arrays and maps around a value of an attribute.
pub const MOST_LEVELS: usize = 64;

/// Writes an OTLP/JSON document of traces, `{"resourceSpans": […]}`, over into protobuf.
///
/// # Errors
///
/// When the text is no JSON, or something in it is not what OTLP has in that place.
pub fn traces_from_json(text: &[u8]) -> Result<Transcoded, DecodeError> {
    transcode::to_protobuf(text, &schema::TRACES)
}

/// Writes like [`traces_from_json`] a document over that was parsed already.
///
/// # Errors
///
/// When something in it is not what OTLP has in that place.
pub fn traces_from_value(json: &serde_json::Value) -> Result<Transcoded, DecodeError> {
    transcode::from_value(json, &schema::TRACES)
}

/// Writes an OTLP/JSON document of logs over into protobuf.
///
/// # Errors
///
/// As of [`traces_from_json`].
pub fn logs_from_json(text: &[u8]) -> Result<Transcoded, DecodeError> {
    transcode::to_protobuf(text, &schema::LOGS)
}

/// Writes an OTLP/JSON document of metrics over into protobuf.
///
/// # Errors
///
/// As of [`traces_from_json`].
pub fn metrics_from_json(text: &[u8]) -> Result<Transcoded, DecodeError> {
    transcode::to_protobuf(text, &schema::METRICS)
}
