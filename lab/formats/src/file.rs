//! Trace files: how the formats are recognized, and how each is read.
//!
//! | format | source |
//! | --- | --- |
//! | OTLP/JSON, one document, one a line or an array of them | the sink, the collector's file exporter |
//! | the same with base64 ids and names of kinds, as protobuf maps its messages to JSON | Tempo's API |
//! | OTLP protobuf, one message or several with their lengths | an exporter's request, the file exporter with `format: proto` |
//! | Jaeger's JSON | Jaeger's page and its query API |
//! | Zipkin's JSON v2 | Zipkin's page and its API, a reporter's request |
//!
//! Each may be packed with gzip or zstd. The name of a file does not matter: only its content counts.
//!
//! A span that cannot be used, a document of another signal and an end that is cut off are left out, and the
//! rest is read: a [`Note`] says so. A file of which nothing can be read is an error.

mod documents;
mod looks;
mod messages;
mod note;
mod packing;
mod shape;

use std::io;

use serde_json::Value as Json;
use thiserror::Error;
use trace::{
    Span,
    otlp::{DecodeError, Decoded, from_protobuf, from_transcoded},
};

use self::{
    documents::{Documents, Next},
    note::Notes,
    packing::Packing,
    shape::Shape,
};
use crate::{
    jaeger,
    zipkin::{self, ZipkinSpan},
};

pub use self::note::Note;

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
    /// A document is Zipkin's, and a part of it is not as Zipkin writes it.
    #[error("document {document}: no Zipkin JSON v2: {problem}")]
    Zipkin {
        /// The number of the document, from 1.
        document: usize,
        /// The place in the document, and what is wrong there.
        problem: String,
    },
}

/// The content of a trace file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// The spans, in the order of the file.
    pub spans: Vec<Span>,
    /// What was left out or changed; empty for a file that was read as a whole.
    pub notes: Vec<Note>,
}

/// Reads the spans of a trace file.
///
/// # Errors
///
/// When the format is unknown, when a document is not as its format says, when nothing can be read, and when
/// the file unpacks to more than [`MOST_UNPACKED`] bytes.
pub fn read(bytes: &[u8]) -> Result<Contents, ReadError> {
    read_within(bytes, MOST_UNPACKED)
}

/// Reads like [`read`] with another limit: `most_unpacked`, in bytes.
///
/// # Errors
///
/// As in [`read`], with this limit.
pub fn read_within(bytes: &[u8], most_unpacked: usize) -> Result<Contents, ReadError> {
    let mut reader = Reader {
        packing: Packing::new(most_unpacked),
        documents: 0,
        spans: Vec::new(),
        zipkin: Vec::new(),
        notes: Notes::default(),
    };
    reader.file(bytes)?;
    if reader.documents == 0 {
        return Err(ReadError::Empty);
    }
    let mut spans = reader.spans;
    spans.extend(zipkin::into_spans(reader.zipkin));
    let notes = reader.notes.into_list();
    match notes.first() {
        Some(note) if spans.is_empty() => Err(ReadError::Nothing(note.clone())),
        _ => Ok(Contents { spans, notes }),
    }
}

/// The data of a file that was read so far.
struct Reader {
    packing: Packing,
    documents: usize,
    spans: Vec<Span>,
    /// Zipkin's spans, converted at the end: the two halves of a shared span may be in two documents, since
    /// each service reports its own half.
    zipkin: Vec<ZipkinSpan>,
    notes: Notes,
}

// === impl Reader ===

impl Reader {
    fn file(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        let bytes = self.packing.unpack(bytes)?;
        let Some(messages) = messages::of(&bytes) else {
            let read = self.contents(&bytes);
            // Of a packed file that is cut off, the whole lines are read.
            return match (read, self.packing.take_cut()) {
                (Ok(()), Some((packing, _))) => {
                    self.notes
                        .cut(format!("the file looks like {packing}, which"));
                    Ok(())
                }
                (Err(_), Some((packing, source))) => Err(ReadError::Packed { packing, source }),
                (read, None) => read,
            };
        };
        for message in messages {
            let message = match message {
                Err(ReadError::Cut { message, .. }) if self.documents > 0 => {
                    self.notes.cut(format!("message {message}"));
                    return Ok(());
                }
                message => message?,
            };
            // The file exporter packs each message separately.
            let message = self.packing.unpack(message)?;
            if let Some((packing, source)) = self.packing.take_cut() {
                return Err(ReadError::Packed { packing, source });
            }
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
        let good = |decoded: &Decoded| decoded.rejected.is_empty() && decoded.replaced == 0;
        // Requests of all signals begin alike on the wire, so another signal causes an error only deeper
        // inside.
        if !decoded.as_ref().is_ok_and(good)
            && let Some(signal) = otlp::other_signal(bytes)
        {
            self.documents = document;
            self.notes.signal(signal);
            return Ok(());
        }
        let decoded = decoded.map_err(|problem| ReadError::Document { document, problem })?;
        self.documents = document;
        self.take(decoded);
        Ok(())
    }

    fn json(&mut self, text: &[u8]) -> Result<(), ReadError> {
        let mut documents = Documents::of(text);
        while let Some(next) = documents.next() {
            let wrong = match next {
                Next::Document(json, replaced) => {
                    self.documents += 1;
                    self.document(&json)?;
                    self.notes.replaced(replaced);
                    continue;
                }
                Next::Cut { line, error } if documents.skip_line() => {
                    self.notes.line(line, error.problem);
                    continue;
                }
                Next::Wrong(wrong) if documents.skip_line() => {
                    self.notes.line(wrong.line, wrong.problem);
                    continue;
                }
                Next::Cut { line, .. } if self.documents > 0 => {
                    self.notes.cut(format!("line {line}"));
                    break;
                }
                Next::Cut { error, .. } => error,
                Next::Wrong(wrong) => wrong,
            };
            return Err(ReadError::Json {
                problem: wrong.problem,
                line: wrong.line,
                column: wrong.column,
                hint: looks::hint_of_text(text),
            });
        }
        Ok(())
    }

    fn document(&mut self, json: &Json) -> Result<(), ReadError> {
        let document = self.documents;
        if jaeger::is_one(json) {
            let read = jaeger::read(json, |problem| self.notes.span(document, || problem));
            self.spans.extend(read);
            return Ok(());
        }
        if zipkin::is_one(json) {
            let mut left_out = |problem| self.notes.span(document, || problem);
            let read = zipkin::read(json, &mut left_out);
            self.zipkin
                .extend(read.map_err(|problem| ReadError::Zipkin { document, problem })?);
            return Ok(());
        }
        let whole = json;
        let json = match shape::of(json) {
            Shape::Traces(traces) => traces,
            Shape::Signal(signal) => {
                self.notes.signal(signal);
                return Ok(());
            }
            Shape::Several(documents) => {
                // Each counts, in place of the array.
                self.documents -= 1;
                for json in documents {
                    self.documents += 1;
                    self.document(json)?;
                }
                return Ok(());
            }
            // What is no object at all is refused by the reader of OTLP, in its words.
            Shape::Unknown if json.is_object() || json.is_array() => {
                let hint = looks::hint(json);
                return Err(ReadError::NoSpans { document, hint });
            }
            Shape::Unknown => std::borrow::Cow::Borrowed(json),
        };
        let decoded = otlp::traces_from_value(&json).and_then(|read| from_transcoded(&read));
        self.take(decoded.map_err(|problem| ReadError::Document { document, problem })?);
        if shape::is_partial(whole) {
            self.notes.partial();
        }
        Ok(())
    }

    fn take(&mut self, decoded: Decoded) {
        for rejected in &decoded.rejected {
            self.notes.rejected(self.documents, rejected);
        }
        self.notes.library_spans(decoded.library_spans);
        self.notes.replaced(decoded.replaced);
        self.spans.extend(decoded.spans);
    }
}
