//! The JSON documents of a text, one after the other.

use serde_json::Value as Json;

/// The documents of a text, in order. White space may stand between them, such as line breaks.
pub(super) struct Documents<'a> {
    text: &'a [u8],
    /// The place after the last document.
    at: usize,
    /// The number of lines that were skipped.
    skipped: usize,
}

/// The highest number of lines that are skipped: each is looked through up to the end of the text.
const MOST_SKIPPED: usize = 16;

/// A document, or what is in its place.
pub(super) enum Next {
    /// A document, and the number of texts in it in which U+FFFD replaces what is no character.
    Document(Json, usize),
    /// The text ends in the middle of a document, which begins in this line.
    Cut { line: usize, error: Wrong },
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

impl<'a> Documents<'a> {
    pub(super) fn of(text: &'a [u8]) -> Documents<'a> {
        Documents {
            text,
            at: 0,
            skipped: 0,
        }
    }

    /// Skips a line that is no document, if the text has one document on each line: if a line below begins like
    /// a document.
    pub(super) fn skip_line(&mut self) -> bool {
        let start = self.start();
        let rest = &self.text[start..];
        let below = rest
            .windows(2)
            .position(|pair| pair[0] == b'\n' && matches!(pair[1], b'{' | b'['));
        match below {
            Some(end) if self.skipped < MOST_SKIPPED => {
                self.at = start + end + 1;
                self.skipped += 1;
                true
            }
            _ => false,
        }
    }

    /// The beginning of the document after the last one.
    fn start(&self) -> usize {
        let rest = &self.text[self.at..];
        self.at + (rest.len() - rest.trim_ascii_start().len())
    }

    /// A document that serde_json refuses, mended if it can be.
    fn mended(&mut self, refused: serde_json::Error) -> Next {
        let start = self.start();
        let Some(length) = length_of(&self.text[start..]) else {
            let line = 1 + lines(&self.text[..start]);
            let error = self.wrong(refused);
            return Next::Cut { line, error };
        };
        match otlp::parse(&self.text[start..start + length]) {
            Ok((json, replaced)) => {
                self.at = start + length;
                Next::Document(json, replaced)
            }
            Err(_) => Next::Wrong(self.wrong(refused)),
        }
    }

    /// The error, with its place in the whole text in place of that in the rest of it.
    fn wrong(&self, error: serde_json::Error) -> Wrong {
        let text = error.to_string();
        let problem = text.split(" at line ").next().unwrap_or(&text).to_owned();
        let before = &self.text[..self.at];
        let in_line = before.len()
            - before
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1);
        Wrong {
            problem,
            line: error.line() + lines(before),
            column: error.column() + if error.line() == 1 { in_line } else { 0 },
        }
    }
}

impl Iterator for Documents<'_> {
    type Item = Next;

    fn next(&mut self) -> Option<Next> {
        let mut stream = serde_json::Deserializer::from_slice(&self.text[self.at..]).into_iter();
        match stream.next()? {
            Ok(json) => {
                self.at += stream.byte_offset();
                Some(Next::Document(json, 0))
            }
            Err(error) => Some(self.mended(error)),
        }
    }
}

fn lines(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

/// The length of the object or array at the beginning of a text; `None` if the text ends before it does.
fn length_of(text: &[u8]) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.iter().enumerate() {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_string = false,
            (true, _) => {}
            (false, b'"') => in_string = true,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            // A text that begins with neither.
            (false, _) if depth == 0 => return Some(at + 1),
            (false, _) => {}
        }
    }
    None
}
