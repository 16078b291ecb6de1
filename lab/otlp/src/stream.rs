//! OTLP/JSON documents of traces that are larger than memory: read span by span, in one pass.

use std::{error::Error, io};

use serde::de::{DeserializeSeed, IgnoredAny};
use thiserror::Error;

use crate::{
    error::DecodeError,
    parse::{length_of, mended},
    place::Step,
    schema::{Message, RESOURCE_SPANS, SCOPE_SPANS, SPAN, TRACES},
    transcode::{Key, KeySeed, Libraries, ListSeed, MessageSeed, ValueSeed, Writer},
    window::Window,
};

/// A part of a document. What spans have in common may stand before or behind them in JSON; here it comes behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// An encoded span of the scope that comes next.
    Span(&'a [u8]),
    /// A `ScopeSpans` of the resource that comes next, without its spans.
    Scope(&'a [u8]),
    /// A `ResourceSpans` without its scopes.
    Resource(&'a [u8]),
}

/// Whether a piece was taken. An error ends the reading.
pub type Taken = Result<(), Box<dyn Error + Send + Sync>>;

/// What was found in a whole document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streamed {
    /// The number of texts in which U+FFFD replaces what is no character.
    pub replaced: usize,
    /// The number of spans in a field that OTLP no longer has ([`crate::Walked::library_spans`]).
    pub library_spans: usize,
}

/// Why a document was not read to its end.
#[derive(Debug, Error)]
pub enum StreamError {
    /// It is no JSON.
    #[error("no JSON: {problem} at line {line} column {column}")]
    Json {
        /// What is wrong.
        problem: String,
        /// The line in the whole text, from 1.
        line: usize,
        /// The column, in bytes.
        column: usize,
        /// Whether the text ends in the middle of the document.
        is_cut: bool,
    },
    /// Something in it is not what OTLP has in that place.
    #[error(transparent)]
    Otlp(#[from] DecodeError),
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] io::Error),
    /// A value in it is larger than the window. The line is that of its beginning, from 1.
    #[error("the value at line {0} is too large")]
    TooLarge(usize),
    /// What was told of a part is not taken.
    #[error(transparent)]
    Refused(Box<dyn Error + Send + Sync>),
}

/// Whether a document begins here as exporters and the Collector write it: with its list of resources. Others, such
/// as answers of backends, are read as a whole.
///
/// # Errors
///
/// When the source cannot be read.
pub fn begins_with_resources(window: &mut Window<'_>) -> io::Result<bool> {
    // An opening brace, white space, a key.
    const ENOUGH: usize = 256;
    window.skip_space()?;
    window.fill(ENOUGH.min(window.most()))?;
    let Some(rest) = window.held().strip_prefix(b"{") else {
        return Ok(false);
    };
    let rest = rest.trim_ascii_start();
    Ok(rest.starts_with(b"\"resourceSpans\"") || rest.starts_with(b"\"resource_spans\""))
}

/// Reads the document at the beginning of a window, and calls back with each part of it. What was found counts only if
/// the whole document can be read.
///
/// # Errors
///
/// When the text is no JSON, when something in it is not what OTLP has in that place, when a value is larger than the
/// window, and when `each` returns an error.
pub fn stream_traces<'r>(
    window: &mut Window<'r>,
    each: &mut dyn FnMut(Piece<'_>) -> Taken,
) -> Result<Streamed, StreamError> {
    let mut stream = Stream {
        window,
        writer: Writer::default(),
        replaced: 0,
        each,
    };
    stream.object(&DOCUMENT, &mut Vec::new())?;
    Ok(Streamed {
        replaced: stream.replaced,
        library_spans: stream.writer.library_spans,
    })
}

/// An object on the way from a document to its spans.
struct Level {
    table: &'static Message,
    /// The field with the next level.
    list: &'static str,
    /// The level of its items; spans have none.
    items: Option<&'static Level>,
}

static DOCUMENT: Level = Level {
    table: &TRACES,
    list: "resourceSpans",
    items: Some(&RESOURCE),
};
static RESOURCE: Level = Level {
    table: &RESOURCE_SPANS,
    list: "scopeSpans",
    items: Some(&SCOPE),
};
static SCOPE: Level = Level {
    table: &SCOPE_SPANS,
    list: "spans",
    items: None,
};

struct Stream<'w, 'r, 'e> {
    window: &'w mut Window<'r>,
    writer: Writer,
    replaced: usize,
    each: &'e mut dyn FnMut(Piece<'_>) -> Taken,
}

type Json<'t> = serde_json::Deserializer<serde_json::de::SliceRead<'t>>;

// === impl Stream ===

impl Stream<'_, '_, '_> {
    /// Reads an object. Its fields other than the list are encoded into `kept`.
    fn object(&mut self, level: &'static Level, kept: &mut Vec<u8>) -> Result<(), StreamError> {
        self.window.consume(1);
        let mut is_first = true;
        loop {
            match (self.next("EOF while parsing an object")?, is_first) {
                (b'}', true) => break,
                (b'"', true) => {}
                (b',', false) => {
                    self.window.consume(1);
                    match self.next("EOF while parsing a value")? {
                        b'"' => {}
                        b'}' => return Err(self.wrong("trailing comma", false)),
                        _ => return Err(self.wrong("key must be a string", false)),
                    }
                }
                (b'}', false) => break,
                (_, true) => return Err(self.wrong("key must be a string", false)),
                (_, false) => return Err(self.wrong("expected `,` or `}`", false)),
            }
            is_first = false;
            let mut key = Key::Unknown;
            self.value(&mut |json, _| {
                key = KeySeed(level.table).deserialize(json)?;
                Ok(())
            })?;
            if self.next("EOF while parsing an object")? != b':' {
                return Err(self.wrong("expected `:`", false));
            }
            self.window.consume(1);
            self.next("EOF while parsing a value")?;
            match key {
                Key::Unknown => self.value(&mut |json, _| {
                    serde::de::Deserialize::deserialize(json).map(|IgnoredAny| ())
                })?,
                Key::Library => {
                    let mut spans = 0;
                    self.value(&mut |json, _| {
                        spans = Libraries.deserialize(json)?;
                        Ok(())
                    })?;
                    self.writer.library_spans += spans;
                }
                Key::Known(field) => {
                    self.writer.place.push(Step::Key(field.name));
                    if field.name == level.list && self.next("")? == b'[' {
                        self.list(level)?;
                    } else {
                        self.value(&mut |json, writer| match field.repeated {
                            true => ListSeed { writer, field }.deserialize(json),
                            false => ValueSeed {
                                writer,
                                field,
                                optional: true,
                            }
                            .deserialize(json),
                        })?;
                        kept.append(&mut self.writer.out);
                    }
                    self.writer.place.pop();
                }
            }
        }
        self.window.consume(1);
        Ok(())
    }

    /// Reads the list of a level.
    fn list(&mut self, level: &'static Level) -> Result<(), StreamError> {
        self.window.consume(1);
        let mut index = 0;
        loop {
            match (self.next("EOF while parsing a list")?, index) {
                (b']', 0) => break,
                (_, 0) => {}
                (b',', _) => {
                    self.window.consume(1);
                    if self.next("EOF while parsing a value")? == b']' {
                        return Err(self.wrong("trailing comma", false));
                    }
                }
                (b']', _) => break,
                _ => return Err(self.wrong("expected `,` or `]`", false)),
            }
            self.writer.place.push(Step::Index(index));
            self.item(level.items)?;
            self.writer.place.pop();
            index += 1;
        }
        self.window.consume(1);
        Ok(())
    }

    fn item(&mut self, level: Option<&'static Level>) -> Result<(), StreamError> {
        let Some(level) = level else {
            self.message(&SPAN)?;
            (self.each)(Piece::Span(&self.writer.out)).map_err(StreamError::Refused)?;
            self.writer.out.clear();
            return Ok(());
        };
        if self.next("")? != b'{' {
            // It is refused in the words of all that is no object.
            return self.message(level.table);
        }
        let mut kept = Vec::new();
        self.object(level, &mut kept)?;
        let piece = match level.items {
            Some(_) => Piece::Resource(&kept),
            None => Piece::Scope(&kept),
        };
        (self.each)(piece).map_err(StreamError::Refused)
    }

    fn message(&mut self, message: &'static Message) -> Result<(), StreamError> {
        self.value(&mut |json, writer| MessageSeed { writer, message }.deserialize(json))
    }

    /// Reads a value. It is read anew when the window ends in the middle of it.
    fn value(
        &mut self,
        read: &mut dyn FnMut(&mut Json<'_>, &mut Writer) -> Result<(), serde_json::Error>,
    ) -> Result<(), StreamError> {
        let way = self.writer.place.len();
        let mut once = |text: &[u8], writer: &mut Writer| {
            writer.out.clear();
            writer.levels = 0;
            writer.place.truncate(way);
            let mut json = serde_json::Deserializer::from_slice(text);
            // What is nested without end has no place in the tables: it is skipped without recursion.
            json.disable_recursion_limit();
            read(&mut json, writer)?;
            Ok(json.into_iter::<IgnoredAny>().byte_offset())
        };
        loop {
            let text = self.window.held();
            let refused: serde_json::Error = match once(text, &mut self.writer) {
                // A number may go on behind the end of the window.
                Ok(length) if length == text.len() && !self.window.is_at_end() => {
                    self.more()?;
                    continue;
                }
                Ok(length) => {
                    self.window.consume(length);
                    return Ok(());
                }
                Err(refused) => refused,
            };
            if let Some(wrong) = self.writer.wrong.take() {
                return Err(wrong.into());
            }
            if self.window.may_go_on(&refused) {
                self.more()?;
                continue;
            }
            // Half of a character is looked for only after the value was refused.
            let Some(length) = self.length()? else {
                return Err(self.refused(&refused));
            };
            let Some((text, replaced)) = mended(&self.window.held()[..length]) else {
                return Err(self.refused(&refused));
            };
            return match once(&text, &mut self.writer) {
                Ok(_) => {
                    self.replaced += replaced;
                    self.window.consume(length);
                    Ok(())
                }
                Err(_) => match self.writer.wrong.take() {
                    Some(wrong) => Err(wrong.into()),
                    None => Err(self.refused(&refused)),
                },
            };
        }
    }

    /// The length of the object at the beginning of the window; `None` if it does not end.
    fn length(&mut self) -> Result<Option<usize>, StreamError> {
        loop {
            let length = length_of(self.window.held());
            if length.is_some() || !self.more()? {
                return Ok(length);
            }
        }
    }

    /// Skips white space, and returns the byte that follows; `at_end` is what is wrong where there is none.
    fn next(&mut self, at_end: &str) -> Result<u8, StreamError> {
        match self.window.skip_space() {
            Ok(Some(next)) => Ok(next),
            Ok(None) => Err(self.wrong(at_end, true)),
            Err(error) => Err(self.source(error)),
        }
    }

    fn more(&mut self) -> Result<bool, StreamError> {
        self.window.more().map_err(|error| self.source(error))
    }

    fn source(&self, error: io::Error) -> StreamError {
        match error.kind() {
            io::ErrorKind::StorageFull => StreamError::TooLarge(self.window.place().lines + 1),
            _ => error.into(),
        }
    }

    /// An error at the beginning of the window.
    fn wrong(&self, problem: &str, is_cut: bool) -> StreamError {
        let place = self.window.place();
        StreamError::Json {
            problem: problem.to_owned(),
            line: place.lines + 1,
            column: place.in_line + usize::from(!is_cut),
            is_cut,
        }
    }

    /// The error of the parser, with its place in the whole text.
    fn refused(&self, error: &serde_json::Error) -> StreamError {
        let (problem, line, column) = self.window.place().of(error);
        StreamError::Json {
            problem,
            line,
            column,
            is_cut: error.is_eof(),
        }
    }
}
