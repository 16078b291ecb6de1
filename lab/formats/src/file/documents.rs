//! The JSON documents of a text, one after the other, each read as a whole.

use std::io;

use otlp::{ParseError, Window};
use serde_json::Value as Json;

/// The documents of a text, in order. White space may stand between them, such as line breaks.
pub(super) struct Documents<'w, 'r> {
    window: &'w mut Window<'r>,
    /// The bytes of memory that one may take.
    room: usize,
    /// The number of lines that were skipped.
    skipped: usize,
}

/// The highest number of lines that are skipped.
const MOST_SKIPPED: usize = 16;

/// A document, or what is in its place.
pub(super) enum Next {
    /// A document, and the number of texts in it in which U+FFFD replaces what is no character.
    Document(Json, usize),
    /// The text ends in the middle of a document, which begins in this line.
    Cut { line: usize, error: Wrong },
    /// The document in this line takes too much memory.
    TooLarge { line: usize },
    /// This is no JSON.
    Wrong(Wrong),
}

/// An error of the parser, with its place in the whole text.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) problem: String,
    pub(super) line: usize,
    pub(super) column: usize,
}

// === impl Documents ===

impl<'w, 'r> Documents<'w, 'r> {
    pub(super) fn of(window: &'w mut Window<'r>, room: usize) -> Documents<'w, 'r> {
        Documents {
            window,
            room,
            skipped: 0,
        }
    }

    pub(super) fn window(&mut self) -> &mut Window<'r> {
        self.window
    }

    /// Reads the next document; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Next>> {
        if self.window.skip_space()?.is_none() {
            return Ok(None);
        }
        let line = self.window.place().lines + 1;
        loop {
            let text = self.window.held();
            let refused = match otlp::parse_first(text, self.room) {
                // A number may go on behind the end of the window.
                Ok((_, length)) if length == text.len() && self.window.more()? => continue,
                Ok((json, length)) => {
                    self.window.consume(length);
                    return Ok(Some(Next::Document(json, 0)));
                }
                Err(ParseError::TooLarge) => return Ok(Some(Next::TooLarge { line })),
                Err(ParseError::Json(refused)) => refused,
            };
            if self.window.may_go_on(&refused) {
                self.window.more()?;
                continue;
            }
            return Ok(Some(self.mended(line, &refused)?));
        }
    }

    /// A document that serde_json refuses, mended if it can be.
    fn mended(&mut self, line: usize, refused: &serde_json::Error) -> io::Result<Next> {
        let length = loop {
            match otlp::length_of(self.window.held()) {
                Some(length) => break length,
                None if self.window.more()? => {}
                None => {
                    let error = self.wrong(refused);
                    return Ok(Next::Cut { line, error });
                }
            }
        };
        match otlp::parse(&self.window.held()[..length], self.room) {
            Ok((json, replaced)) => {
                self.window.consume(length);
                Ok(Next::Document(json, replaced))
            }
            Err(ParseError::TooLarge) => Ok(Next::TooLarge { line }),
            Err(ParseError::Json(_)) => Ok(Next::Wrong(self.wrong(refused))),
        }
    }

    /// Skips a line that is no document, if the text has one document on each line: if a line below begins like
    /// a document.
    pub(super) fn skip_line(&mut self) -> io::Result<bool> {
        if self.skipped == MOST_SKIPPED {
            return Ok(false);
        }
        let mut looked = 0;
        loop {
            let rest = self.window.held();
            let below = rest[looked..]
                .windows(2)
                .position(|pair| pair[0] == b'\n' && matches!(pair[1], b'{' | b'['));
            if let Some(end) = below {
                self.window.consume(looked + end + 1);
                self.skipped += 1;
                return Ok(true);
            }
            looked = rest.len().saturating_sub(1);
            // What does not fit into memory is no line.
            match self.window.more() {
                Ok(true) => {}
                Err(error) if error.kind() != io::ErrorKind::StorageFull => return Err(error),
                _ => return Ok(false),
            }
        }
    }

    /// The error, with its place in the whole text in place of that in the rest of it.
    fn wrong(&self, error: &serde_json::Error) -> Wrong {
        let (problem, line, column) = self.window.place().of(error);
        Wrong {
            problem,
            line,
            column,
        }
    }
}
