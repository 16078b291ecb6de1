//! Trace files: what tells the formats apart, and how each is read.
//!
//! | format | as it comes from |
//! | --- | --- |
//! | OTLP/JSON, one document or one a line | the sink, the collector's file exporter |
//! | OTLP protobuf, one message or several with their lengths | an exporter's request, the file exporter with `format: proto` |
//! | Jaeger's JSON | Jaeger's page and its query API |
//! | Zipkin's JSON v2 | Zipkin's page and its API, a reporter's request |
//!
//! Each may be packed with gzip or zstd. A file's name is not known here: only what is in it counts.

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

/// How many bytes [`read`] unpacks of one file: 1 GiB.
pub const MOST_UNPACKED: usize = 1 << 30;

/// Why some bytes are no trace file.
#[derive(Debug, Error)]
pub enum ReadError {
    /// There is nothing in it.
    #[error(
        "the file is empty; an OTLP/JSON document such as {{\"resourceSpans\": […]}} is needed"
    )]
    Empty,
    /// It is of no format that is known here.
    #[error(
        "no trace file: it is neither OTLP (protobuf or JSON), Jaeger JSON nor Zipkin JSON v2, \
         plain or packed with gzip or zstd; {looks}"
    )]
    NoFormat {
        /// What it looks like, in words.
        looks: String,
    },
    /// It is packed, and cannot be unpacked.
    #[error("the file looks like {packing} and cannot be unpacked: {source}")]
    Packed {
        /// `gzip` or `zstd`.
        packing: &'static str,
        /// What the unpacker says.
        source: io::Error,
    },
    /// It is packed, and too large unpacked.
    #[error("the file unpacks to more than {most}, which is the most that is unpacked here")]
    TooLarge {
        /// How much is taken, in words.
        most: String,
    },
    /// Its last message is not all there.
    #[error(
        "message {message} is cut off: {there} of {promised} bytes are there; each has its length \
         before it, 4 bytes, big-endian"
    )]
    Cut {
        /// Which message of the file, from 1.
        message: usize,
        /// How many bytes it should have.
        promised: usize,
        /// How many there are.
        there: usize,
    },
    /// It begins like JSON and is none.
    #[error("no JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// One of its documents is something else.
    #[error(
        "document {document}: no \"resourceSpans\" in it; OTLP/JSON is {{\"resourceSpans\": […]}}{hint}"
    )]
    NoSpans {
        /// Which document of the file, from 1.
        document: usize,
        /// What it seems to be, if that can be told.
        hint: &'static str,
    },
    /// One of its documents is not what OTLP says.
    #[error("document {document}: {problem}")]
    Document {
        /// Which document of the file, from 1.
        document: usize,
        /// What is wrong.
        problem: DecodeError,
    },
    /// One of its messages is OTLP protobuf, and holds no spans.
    #[error("document {document}: no traces in it: it is OTLP protobuf of {signal}")]
    OtherSignal {
        /// Which document of the file, from 1.
        document: usize,
        /// `logs` or `metrics`.
        signal: &'static str,
    },
    /// One of its documents is of Jaeger, and something in it is not as Jaeger writes it.
    #[error("document {document}: no Jaeger JSON: {problem}")]
    Jaeger {
        /// Which document of the file, from 1.
        document: usize,
        /// What is wrong.
        problem: String,
    },
    /// One of its documents is of Zipkin, and something in it is not as Zipkin writes it.
    #[error("document {document}: no Zipkin JSON v2: {problem}")]
    Zipkin {
        /// Which document of the file, from 1.
        document: usize,
        /// The place, and what is wrong there.
        problem: String,
    },
    /// One of its spans cannot be used.
    #[error("document {document}: {rejected}")]
    Span {
        /// Which document of the file, from 1.
        document: usize,
        /// The span, and what is wrong with it.
        rejected: Rejected,
    },
}

/// All spans of a trace file, which is taken whole or not at all.
///
/// A file that unpacks to more than [`MOST_UNPACKED`] is refused.
///
/// # Errors
///
/// When the format is not known, or a document or a span in it is malformed; the error says which.
pub fn read(bytes: &[u8]) -> Result<Vec<Span>, ReadError> {
    read_within(bytes, MOST_UNPACKED)
}

/// Reads as [`read`] does, and refuses a file that unpacks to more than `most_unpacked` bytes.
///
/// # Errors
///
/// As [`read`].
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

/// What was read of a file so far.
struct Reader {
    packing: Packing,
    documents: usize,
    spans: Vec<Span>,
    /// Kept until the end: the two halves of a shared span may be in two documents, since each
    /// service reports its own.
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
            // The file exporter packs each message alone.
            let message = self.packing.unpack(message?)?;
            self.contents(&message)?;
        }
        Ok(())
    }

    fn contents(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        let json = looks::like_json(bytes);
        if looks::like_protobuf(bytes) {
            match self.protobuf(bytes) {
                // A document after an empty line, with a character in it that JSON forbids.
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
        // Requests of all signals are alike on the wire, so that of another one fails only inside.
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
        // The protocol takes a request without the field as an empty one; in a file it is a mistake.
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
