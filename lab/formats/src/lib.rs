//! Reads trace files of any format into spans: [`read`] recognizes the format by the content of a file.
//!
//! This crate must not know where a file comes from, or what its spans are used for.
//!
//! ```
//! let read = formats::read(br#"{"resourceSpans": []}"#);
//! assert!(matches!(read, Ok(read) if read.spans.is_empty()), "OTLP/JSON that holds nothing");
//! assert!(formats::read(b"hello").is_err(), "no trace file");
//! ```
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

mod file;
mod jaeger;
mod recording;
mod zipkin;

pub use file::{Contents, MOST_UNPACKED, Note, ReadError, Recorder, read, read_within};
pub use recording::{Limits, MEMORY, RecordError, Recorded, Recording};
