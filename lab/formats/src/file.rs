//! Trace files: how the formats are recognized, and how each is read.
//!
//! | format | source |
//! | --- | --- |
//! | OTLP/JSON, one document or one a line | the sink, the collector's file exporter |
//! | OTLP protobuf, one message or several with their lengths | an exporter's request, the file exporter with `format: proto` |
//! | Jaeger's JSON | Jaeger's page and its query API |
//! | Zipkin's JSON v2 | Zipkin's page and its API, a reporter's request |
//!
//! Each may be packed with gzip or zstd. The name of a file does not matter: only its content counts.

mod looks;
mod messages;
mod packing;

use std::io;

use serde_json::Value as Json;
use thiserror::Error;
use trace::{
    Span,
    otlp::{DecodeError, Decoded, Rejected, from_protobuf, from_request},
};

use self::packing::Packing;
use crate::{
    jaeger,
    zipkin::{self, ZipkinSpan},
};

/// The highest number of unpacked bytes of one file in [`read`]: 1 GiB.
pub const MOST_UNPACKED: usize = 1 << 30;

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
    #[error("no JSON: {0}")]
    Json(#[source] serde_json::Error),
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
    /// A message is OTLP protobuf of another signal, without spans.
    #[error("document {document}: no traces in it: it is OTLP protobuf of {signal}")]
    OtherSignal {
        /// The number of the document, from 1.
        document: usize,
        /// `logs` or `metrics`.
        signal: &'static str,
    },
    /// A document is Jaeger's, and a part of it is not as Jaeger writes it.
    #[error("document {document}: no Jaeger JSON: {problem}")]
    Jaeger {
        /// The number of the document, from 1.
        document: usize,
        /// What is wrong.
        problem: String,
    },
    /// A document is Zipkin's, and a part of it is not as Zipkin writes it.
    #[error("document {document}: no Zipkin JSON v2: {problem}")]
    Zipkin {
        /// The number of the document, from 1.
        document: usize,
        /// The place in the document, and what is wrong there.
        problem: String,
    },
    /// A span cannot be used.
    #[error("document {document}: {rejected}")]
    Span {
        /// The number of the document, from 1.
        document: usize,
        /// The span, and what is wrong with it.
        rejected: Rejected,
    },
}

/// Reads all spans of a trace file. A file with an error is refused as a whole.
///
/// # Errors
///
/// When the format is unknown, when a span cannot be used, and when the file unpacks to more than
/// [`MOST_UNPACKED`] bytes.
pub fn read(bytes: &[u8]) -> Result<Vec<Span>, ReadError> {
    read_within(bytes, MOST_UNPACKED)
}

/// Reads like [`read`] with another limit: `most_unpacked`, in bytes.
///
/// # Errors
///
/// As in [`read`], with this limit.
pub fn read_within(bytes: &[u8], most_unpacked: usize) -> Result<Vec<Span>, ReadError> {
    let mut reader = Reader {
        packing: Packing::new(most_unpacked),
        documents: 0,
        spans: Vec::new(),
        zipkin: Vec::new(),
    };
    reader.file(bytes)?;
    if reader.documents == 0 {
        return Err(ReadError::Empty);
    }
    let mut spans = reader.spans;
    spans.extend(zipkin::into_spans(reader.zipkin));
    Ok(spans)
}

/// The data of a file that was read so far.
struct Reader {
    packing: Packing,
    documents: usize,
    spans: Vec<Span>,
    /// Zipkin's spans, converted at the end: the two halves of a shared span may be in two documents, since
    /// each service reports its own half.
    zipkin: Vec<ZipkinSpan>,
}

// === impl Reader ===

impl Reader {
    fn file(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        let bytes = self.packing.unpack(bytes)?;
        let Some(messages) = messages::of(&bytes) else {
            return self.contents(&bytes);
        };
        for message in messages {
            // The file exporter packs each message separately.
            let message = self.packing.unpack(message?)?;
            self.contents(&message)?;
        }
        Ok(())
    }

    fn contents(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        let json = looks::like_json(bytes);
        if looks::like_protobuf(bytes) {
            match self.protobuf(bytes) {
                // A document after an empty line, with a character that JSON forbids.
                Err(_) if json => {}
                read => return read,
            }
        }
        if json {
            self.json(looks::without_mark(bytes))
        } else if looks::empty(bytes) {
            Ok(())
        } else {
            Err(ReadError::NoFormat {
                looks: looks::in_words(bytes),
            })
        }
    }

    fn protobuf(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        let document = self.documents + 1;
        let decoded = from_protobuf(bytes);
        let good = |decoded: &Decoded| decoded.rejected.is_empty();
        // Requests of all signals begin alike on the wire, so another signal causes an error only deeper
        // inside.
        if !decoded.as_ref().is_ok_and(good)
            && let Some(signal) = otlp::other_signal(bytes)
        {
            return Err(ReadError::OtherSignal { document, signal });
        }
        let decoded = decoded.map_err(|problem| ReadError::Document { document, problem })?;
        self.documents = document;
        self.take(decoded)
    }

    fn json(&mut self, text: &[u8]) -> Result<(), ReadError> {
        for json in serde_json::Deserializer::from_slice(text).into_iter::<Json>() {
            self.documents += 1;
            self.document(&json.map_err(ReadError::Json)?)?;
        }
        Ok(())
    }

    fn document(&mut self, json: &Json) -> Result<(), ReadError> {
        let document = self.documents;
        if jaeger::is_one(json) {
            let read = jaeger::read(json);
            self.spans
                .extend(read.map_err(|problem| ReadError::Jaeger { document, problem })?);
            return Ok(());
        }
        if zipkin::is_one(json) {
            let read = zipkin::read(json);
            self.zipkin
                .extend(read.map_err(|problem| ReadError::Zipkin { document, problem })?);
            return Ok(());
        }
        // Jaeger's newer API wraps OTLP.
        let json = json
            .get("result")
            .filter(|result| result.get("resourceSpans").is_some())
            .unwrap_or(json);
        // OTLP accepts a request without the field as an empty one; in a file it is a mistake.
        if (json.is_object() || json.is_array()) && json.get("resourceSpans").is_none() {
            let hint = looks::hint(json);
            return Err(ReadError::NoSpans { document, hint });
        }
        let decoded = otlp::traces_from_value(json).map(from_request);
        self.take(decoded.map_err(|problem| ReadError::Document { document, problem })?)
    }

    fn take(&mut self, decoded: Decoded) -> Result<(), ReadError> {
        if let Some(rejected) = decoded.rejected.into_iter().next() {
            let document = self.documents;
            return Err(ReadError::Span { document, rejected });
        }
        self.spans.extend(decoded.spans);
        Ok(())
    }
}
