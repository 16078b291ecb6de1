//! Why a file is no trace file.

use std::io;

use thiserror::Error;
use trace::otlp::DecodeError;

use super::note::Note;
use crate::recording::RecordError;

/// Why bytes are not a trace file.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file is empty.
    #[error(
        "the file is empty; an OTLP/JSON document such as {{\"resourceSpans\": […]}} is needed"
    )]
    Empty,
    /// The format is unknown.
    #[error(
        "no trace file: it is neither OTLP (protobuf or JSON), Jaeger JSON nor Zipkin JSON v2, \
         plain or packed with gzip or zstd; {looks}"
    )]
    NoFormat {
        /// The guess about the format, as a phrase.
        looks: String,
    },
    /// The file is packed, and cannot be unpacked.
    #[error("the file looks like {packing} and cannot be unpacked: {source}")]
    Packed {
        /// `gzip` or `zstd`.
        packing: &'static str,
        /// The error of the decoder.
        source: io::Error,
    },
    /// The file is packed, and unpacks to too many bytes.
    #[error("the file unpacks to more than {most}, which is the most that is unpacked here")]
    TooLarge {
        /// The limit, as text.
        most: String,
    },
    /// The last message is incomplete.
    #[error(
        "message {message} is cut off: {there} of {promised} bytes are there; each has its length \
         before it, 4 bytes, big-endian"
    )]
    Cut {
        /// The number of the message, from 1.
        message: usize,
        /// The number of bytes that it should have.
        promised: usize,
        /// The number of bytes that exist.
        there: usize,
    },
    /// It begins like JSON and is not JSON.
    #[error("no JSON: {problem} at line {line} column {column}{hint}")]
    Json {
        /// What is wrong.
        problem: String,
        /// The line, from 1.
        line: usize,
        /// The column, in bytes.
        column: usize,
        /// A guess about its kind; empty if there is none.
        hint: &'static str,
    },
    /// A document has no `resourceSpans`.
    #[error(
        "document {document}: no \"resourceSpans\" in it; OTLP/JSON is {{\"resourceSpans\": […]}}{hint}"
    )]
    NoSpans {
        /// The number of the document, from 1.
        document: usize,
        /// A guess about its kind; empty if there is none.
        hint: &'static str,
    },
    /// A document violates OTLP.
    #[error("document {document}: {problem}")]
    Document {
        /// The number of the document, from 1.
        document: usize,
        /// What is wrong.
        problem: DecodeError,
    },
    /// All of the file was left out.
    #[error("no span can be read: {0}")]
    Nothing(Note),
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Source(io::Error),
    /// A part of the file is larger than what is read at once.
    #[error(
        "a value at line {line} has more than the {most} MiB that are read at once; {spans} spans were read before it"
    )]
    TooLargeAtOnce {
        /// The line, from 1.
        line: usize,
        /// The limit, in MiB.
        most: usize,
        /// The number of spans that were read before.
        spans: usize,
    },
    /// The spans cannot be kept.
    #[error(transparent)]
    Record(RecordError),
    /// A document is Zipkin's, and a part of it is not as Zipkin writes it.
    #[error("document {document}: no Zipkin JSON v2: {problem}")]
    Zipkin {
        /// The number of the document, from 1.
        document: usize,
        /// The place in the document, and what is wrong there.
        problem: String,
    },
}
