//! A part of a text that is larger than memory: what is being read of it, and where in the text that is.

use std::io::{self, Read};

/// The part of a source that is in memory.
///
/// What was read is given up when more is read, unless a mark holds it.
pub struct Window<'r> {
    source: Box<dyn Read + 'r>,
    buffer: Vec<u8>,
    /// The place in the buffer up to which the text was read.
    at: usize,
    /// A place in the buffer to which [`Window::rewind`] goes back.
    mark: Option<Mark>,
    is_at_end: bool,
    place: TextPlace,
    /// The highest number of bytes that are held.
    most: usize,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextPlace {
    /// The number of line breaks before it.
    pub lines: usize,
    /// The number of bytes before it in its line.
    pub in_line: usize,
}

#[derive(Clone, Copy)]
struct Mark {
    at: usize,
    place: TextPlace,
}

/// The number of bytes that are read at once.
const STEP: usize = 256 << 10;
/// The number of bytes that a mark holds: the documents of most files are smaller.
const MOST_MARKED: usize = 4 << 20;

// === impl TextPlace ===

impl TextPlace {
    /// What an error says of a text that begins here: the problem, and the line and the column in the whole text.
    pub fn of(self, error: &serde_json::Error) -> (String, usize, usize) {
        let text = error.to_string();
        let problem = text.split(" at line ").next().unwrap_or(&text).to_owned();
        let before = if error.line() == 1 { self.in_line } else { 0 };
        (problem, error.line() + self.lines, error.column() + before)
    }
}

// === impl Window ===

impl<'r> Window<'r> {
    /// A window on this source that holds no more than `most` bytes.
    pub fn new(source: impl Read + 'r, most: usize) -> Window<'r> {
        Window {
            source: Box::new(source),
            buffer: Vec::new(),
            at: 0,
            mark: None,
            is_at_end: false,
            place: TextPlace::default(),
            most,
        }
    }

    /// The bytes that are held and not read yet.
    pub fn held(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// Whether these bytes are the last.
    pub fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// The highest number of bytes that are held.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Where in the text the bytes begin.
    pub fn place(&self) -> TextPlace {
        self.place
    }

    /// Says that so many bytes were read.
    pub fn consume(&mut self, bytes: usize) {
        let read = &self.buffer[self.at..self.at + bytes];
        match memchr::memrchr(b'\n', read) {
            Some(last) => {
                self.place.lines += memchr::memchr_iter(b'\n', &read[..=last]).count();
                self.place.in_line = read.len() - last - 1;
            }
            None => self.place.in_line += read.len(),
        }
        self.at += bytes;
    }

    /// Reads more of the source; `false` at its end.
    ///
    /// # Errors
    ///
    /// When the source cannot be read. The kind is [`io::ErrorKind::StorageFull`] when the window would hold more than
    /// it may.
    pub fn more(&mut self) -> io::Result<bool> {
        if self.is_at_end {
            return Ok(false);
        }
        if let Some(mark) = self.mark
            && self.buffer.len() - mark.at >= MOST_MARKED.min(self.most / 2)
        {
            self.mark = None;
        }
        let kept = self.mark.map_or(self.at, |mark| mark.at);
        self.buffer.drain(..kept);
        self.at -= kept;
        if let Some(mark) = &mut self.mark {
            mark.at = 0;
        }
        let held = self.buffer.len();
        let room = self.most.saturating_sub(held);
        if room == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // A value that does not fit is read anew when there is more of it: twice as much each time.
        let step = STEP.max(held).min(room) as u64;
        self.buffer.reserve_exact(step as usize);
        let read = (&mut self.source)
            .take(step)
            .read_to_end(&mut self.buffer)?;
        self.is_at_end = (read as u64) < step;
        Ok(read > 0)
    }

    /// Whether a value that the parser refuses may be a good one that goes on behind the window.
    pub fn may_go_on(&self, refused: &serde_json::Error) -> bool {
        if self.is_at_end {
            return false;
        }
        // A number that ends behind its sign, its point or its exponent is called invalid.
        let held = self.held();
        let last = memchr::memrchr(b'\n', held).map_or(0, |at| at + 1);
        let is_last_line = || memchr::memchr_iter(b'\n', held).count() + 1 == refused.line();
        refused.is_eof() || (refused.column() >= held.len() - last && is_last_line())
    }

    /// Reads on until this number of bytes is held; `false` if there are not so many.
    ///
    /// # Errors
    ///
    /// As of [`Window::more`].
    pub fn fill(&mut self, bytes: usize) -> io::Result<bool> {
        while self.held().len() < bytes {
            if !self.more()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Skips white space; `None` at the end, else the byte that follows.
    ///
    /// # Errors
    ///
    /// As of [`Window::more`].
    pub fn skip_space(&mut self) -> io::Result<Option<u8>> {
        loop {
            let bytes = self.held();
            let is_space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\t' | b'\r');
            match bytes.iter().position(|byte| !is_space(byte)) {
                Some(at) => {
                    let next = bytes[at];
                    self.consume(at);
                    return Ok(Some(next));
                }
                None => {
                    self.consume(bytes.len());
                    if !self.more()? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Marks this place, so that [`Window::rewind`] can come back to it.
    pub fn mark(&mut self) {
        self.mark = Some(Mark {
            at: self.at,
            place: self.place,
        });
    }

    /// Goes back to the mark; `false` if what was read since is too much to be held. There is no mark then.
    pub fn rewind(&mut self) -> bool {
        match self.mark.take() {
            Some(mark) => {
                (self.at, self.place) = (mark.at, mark.place);
                true
            }
            None => false,
        }
    }

    /// Gives up the mark.
    pub fn unmark(&mut self) {
        self.mark = None;
    }
}

impl Read for Window<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let held = self.held();
        if held.is_empty() {
            return self.source.read(into);
        }
        let read = held.len().min(into.len());
        into[..read].copy_from_slice(&held[..read]);
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_whole_text() {
        let text = b"one\ntwo {\n\n three";
        let mut window = Window::new(&text[..], 1 << 10);
        assert_eq!(window.skip_space().unwrap(), Some(b'o'));
        window.consume(6);
        let place = |lines, in_line| TextPlace { lines, in_line };
        assert_eq!(window.place(), place(1, 2));
        window.mark();
        window.consume(4);
        assert_eq!(window.skip_space().unwrap(), Some(b't'));
        assert_eq!(window.place(), place(3, 1));
        assert!(window.rewind());
        assert_eq!(window.place(), place(1, 2));
        assert_eq!(window.held(), b"o {\n\n three");
        assert!(!window.rewind(), "there is one mark");
    }

    #[test]
    fn no_more_is_held_than_may_be() {
        let text = vec![b'x'; 4_000];
        let mut window = Window::new(&text[..], 1_000);
        assert!(window.fill(1_000).unwrap());
        let refused = window.fill(1_001).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        window.mark();
        window.consume(900);
        assert!(window.more().unwrap());
        assert!(!window.rewind(), "the mark was given up for what follows");
        assert_eq!(window.held().len(), 1_000);
    }

    #[test]
    fn the_end_is_known_also_where_it_is_that_of_a_step() {
        let text = vec![b' '; STEP];
        let mut window = Window::new(&text[..], 1 << 20);
        assert_eq!(window.skip_space().unwrap(), None);
        assert!(window.is_at_end());
        assert!(!window.more().unwrap());
    }
}
