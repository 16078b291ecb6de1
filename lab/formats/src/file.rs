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
mod error;
mod looks;
mod messages;
mod note;
mod packing;
mod shape;

mod streamed;

use std::io::{self, Read};

use otlp::Window;
use serde_json::Value as Json;
use trace::Span;

use self::{
    documents::{Documents, Next},
    note::Notes,
    packing::Packing,
    shape::Shape,
    streamed::Stopped,
};
use crate::{
    jaeger,
    recording::{Added, Limits, RecordError, Recording, Writer},
    zipkin::{self, ZipkinSpan},
};

pub use self::{error::ReadError, note::Note};

/// The highest number of unpacked bytes of one file in [`read`]: 1 GiB.
pub const MOST_UNPACKED: usize = 1 << 30;

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
    let mut recorder = Recorder::new(Limits {
        unpacked: most_unpacked,
        ..Limits::default()
    });
    let notes = recorder.add(bytes)?;
    let recording = recorder.finish().map_err(ReadError::Record)?;
    let spans = recording.all().map_err(RecordError::Spool);
    let spans = spans.map_err(ReadError::Record)?;
    Ok(Contents { spans, notes })
}

/// Reads trace files into a [`Recording`], whose traces are then read one after the other.
///
/// ```
/// use formats::{Limits, Recorder};
///
/// let file = br#"{"resourceSpans": [{"scopeSpans": [{"spans": [
///     {"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7", "name": "GET /"}]}]}]}"#;
/// let mut recorder = Recorder::new(Limits::default());
/// assert!(recorder.add(&file[..])?.is_empty(), "nothing was left out");
/// let recording = recorder.finish()?;
/// let [recorded] = recording.traces() else { panic!() };
/// assert_eq!(recording.spans(recorded)?[0].name, "GET /");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Recorder {
    limits: Limits,
    writer: Writer,
}

// === impl Recorder ===

impl Recorder {
    /// A recorder that has read nothing yet.
    pub fn new(limits: Limits) -> Recorder {
        Recorder {
            limits,
            writer: Writer::new(limits),
        }
    }

    /// Reads a file; returns what was left out of it or changed.
    ///
    /// # Errors
    ///
    /// As of [`read`], and when the file or its spans take more than the limits.
    pub fn add(&mut self, file: impl Read) -> Result<Vec<Note>, ReadError> {
        self.writer.next_source();
        let before = self.writer.spans();
        let mut reader = Reader {
            most: self.limits.memory / 4,
            packing: Packing::new(self.limits.unpacked),
            documents: 0,
            writer: &mut self.writer,
            zipkin: Vec::new(),
            notes: Notes::default(),
        };
        reader.file(file)?;
        if reader.documents == 0 {
            return Err(ReadError::Empty);
        }
        let spans = zipkin::into_spans(std::mem::take(&mut reader.zipkin));
        reader.writer.decoded(&spans).map_err(ReadError::Record)?;
        let notes = reader.notes.into_list();
        match notes.first() {
            Some(note) if self.writer.spans() == before => Err(ReadError::Nothing(note.clone())),
            _ => Ok(notes),
        }
    }

    /// Adds spans that stand in no file.
    ///
    /// # Errors
    ///
    /// When they do not fit into the limits.
    pub fn add_spans(&mut self, spans: &[Span]) -> Result<(), RecordError> {
        self.writer.next_source();
        self.writer.decoded(spans)
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be written.
    pub fn finish(self) -> Result<Recording, RecordError> {
        self.writer.finish()
    }
}

/// The data of a file that was read so far.
struct Reader<'w> {
    /// The highest number of bytes of a text that are held at once.
    most: usize,
    packing: Packing,
    documents: usize,
    writer: &'w mut Writer,
    /// Zipkin's spans, converted at the end: the two halves of a shared span may be in two documents, since
    /// each service reports its own half.
    zipkin: Vec<ZipkinSpan>,
    notes: Notes,
}

/// The number of bytes by which a format is recognized.
const BEGINNING: usize = 64 << 10;

// === impl Reader ===

impl Reader<'_> {
    fn file(&mut self, file: impl Read) -> Result<(), ReadError> {
        let mut window = Window::new(file, self.most);
        self.fill(&mut window, BEGINNING)?;
        let Some(packing) = packing::name(window.held()) else {
            return self.plain(&mut window);
        };
        let mut unpacked = Window::new(self.packing.unpack(packing, window), self.most);
        let read = self.plain(&mut unpacked);
        drop(unpacked);
        // Of a packed file that is cut off, the whole lines are read.
        match (read, self.packing.take_cut()) {
            (Ok(()), Some(_)) => {
                self.notes
                    .cut(format!("the file looks like {packing}, which"));
                Ok(())
            }
            (Err(_), Some(source)) => Err(ReadError::Packed { packing, source }),
            (read, None) => read.map_err(|error| self.packing.explain(packing, error)),
        }
    }

    /// Reads what is not packed, or is unpacked already: messages with their lengths, or the content itself.
    fn plain(&mut self, window: &mut Window<'_>) -> Result<(), ReadError> {
        self.fill(window, BEGINNING)?;
        if !messages::begin(window).map_err(|error| self.source(window, error))? {
            return self.contents(window);
        }
        let mut number = 0;
        loop {
            number += 1;
            let message = match messages::next(window, number) {
                Ok(None) => return Ok(()),
                Ok(Some(message)) => message,
                Err(ReadError::Cut { message, .. }) if self.documents > 0 => {
                    self.notes.cut(format!("message {message}"));
                    return Ok(());
                }
                Err(ReadError::Source(error)) => return Err(self.source(window, error)),
                Err(error) => return Err(error),
            };
            // The file exporter packs each message separately.
            let Some(packing) = packing::name(&message) else {
                self.contents(&mut Window::new(&message[..], self.most))?;
                continue;
            };
            let mut unpacked = Window::new(self.packing.unpack(packing, &message[..]), self.most);
            let read = self.contents(&mut unpacked);
            drop(unpacked);
            if let Some(source) = self.packing.take_cut() {
                return Err(ReadError::Packed { packing, source });
            }
            read.map_err(|error| self.packing.explain(packing, error))?;
        }
    }

    fn contents(&mut self, window: &mut Window<'_>) -> Result<(), ReadError> {
        self.fill(window, BEGINNING)?;
        let json = looks::like_json(window.held());
        if looks::like_protobuf(window.held()) {
            self.fill(window, usize::MAX)?;
            match self.protobuf(window.held()) {
                // A document after an empty line, with a character that JSON forbids.
                Err(ReadError::Document { .. }) if json => {}
                read => return read,
            }
        }
        let looks = looks::in_words(window.held());
        let mark = window.held().len() - looks::without_mark(window.held()).len();
        window.consume(mark);
        if json {
            return self.json(window);
        }
        if looks::empty(window.held()) {
            let rest = window.skip_space();
            if rest.map_err(|error| self.source(window, error))?.is_none() {
                return Ok(());
            }
        }
        Err(ReadError::NoFormat { looks })
    }

    fn fill(&self, window: &mut Window<'_>, bytes: usize) -> Result<(), ReadError> {
        let filled = window.fill(bytes);
        filled.map_err(|error| self.source(window, error)).map(drop)
    }

    /// Why a window was not filled.
    fn source(&self, window: &Window<'_>, error: io::Error) -> ReadError {
        match error.kind() {
            io::ErrorKind::StorageFull => self.too_large(window.place().lines + 1),
            _ => ReadError::Source(error),
        }
    }

    fn too_large(&self, line: usize) -> ReadError {
        ReadError::TooLargeAtOnce {
            line,
            most: self.most >> 20,
            spans: self.writer.spans(),
        }
    }

    fn protobuf(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        let document = self.documents + 1;
        let before = self.writer.mark();
        let added = self.writer.request(bytes);
        let good = |added: &Added| added.rejected.is_empty() && added.replaced == 0;
        // Requests of all signals begin alike on the wire, so another signal causes an error only deeper
        // inside.
        if !added.as_ref().is_ok_and(good)
            && let Some(signal) = otlp::other_signal(bytes)
        {
            self.writer.take_back(before).map_err(ReadError::Record)?;
            self.documents = document;
            self.notes.signal(signal);
            return Ok(());
        }
        let added = added.map_err(|error| in_document(document, error))?;
        self.documents = document;
        self.take(&added);
        Ok(())
    }

    fn json(&mut self, window: &mut Window<'_>) -> Result<(), ReadError> {
        let start = window.held();
        let hint = looks::hint_of_text(&start[..start.len().min(4096)]);
        let mut documents = Documents::of(window, self.most * 2);
        loop {
            match self.streamed(documents.window())? {
                Stopped::Nowhere => return Ok(()),
                Stopped::Behind => continue,
                Stopped::Before => {}
            }
            let next = documents.next();
            let next = next.map_err(|error| self.source(documents.window(), error))?;
            let (wrong, is_cut) = match next {
                None => return Ok(()),
                Some(Next::Document(json, replaced)) => {
                    self.documents += 1;
                    self.document(&json)?;
                    self.notes.replaced(replaced);
                    continue;
                }
                Some(Next::TooLarge { line }) => return Err(self.too_large(line)),
                Some(Next::Wrong(wrong)) => (wrong, None),
                Some(Next::Cut { line, error }) => (error, Some(line)),
            };
            let skipped = documents.skip_line();
            if skipped.map_err(|error| self.source(documents.window(), error))? {
                let line = is_cut.unwrap_or(wrong.line);
                self.notes.line(line, wrong.problem);
                continue;
            }
            match is_cut {
                Some(line) if self.documents > 0 => {
                    self.notes.cut(format!("line {line}"));
                    return Ok(());
                }
                _ => {
                    return Err(ReadError::Json {
                        problem: wrong.problem,
                        line: wrong.line,
                        column: wrong.column,
                        hint,
                    });
                }
            }
        }
    }

    fn document(&mut self, json: &Json) -> Result<(), ReadError> {
        let document = self.documents;
        if jaeger::is_one(json) {
            let read = jaeger::read(json, |problem| self.notes.span(document, || problem));
            return self.writer.decoded(&read).map_err(ReadError::Record);
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
        let read = otlp::traces_from_value(&json);
        let read = read.map_err(|problem| ReadError::Document { document, problem })?;
        let added = self.writer.request(&read.bytes);
        let mut added = added.map_err(|error| in_document(document, error))?;
        added.replaced += read.replaced;
        added.library_spans += read.library_spans;
        self.take(&added);
        if shape::is_partial(whole) {
            self.notes.partial();
        }
        Ok(())
    }

    fn take(&mut self, added: &Added) {
        for rejected in &added.rejected {
            self.notes.rejected(self.documents, rejected);
        }
        self.notes.library_spans(added.library_spans);
        self.notes.replaced(added.replaced);
    }
}

fn in_document(document: usize, error: RecordError) -> ReadError {
    match error {
        RecordError::Decode(problem) => ReadError::Document { document, problem },
        other => ReadError::Record(other),
    }
}
