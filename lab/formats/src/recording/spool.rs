//! Bytes that are written one behind the other and read at any place: in memory while they are few, then in a temporary
//! file without a name, which is gone with the process.

use std::{fs::File, io, os::unix::fs::FileExt};

/// Bytes in memory, or in a file.
#[derive(Debug)]
pub(super) struct Spool {
    /// What is not in the file: all, or the end.
    buffer: Vec<u8>,
    file: Option<File>,
    /// The number of bytes in the file.
    in_file: u64,
    /// From how many bytes on a file is used.
    most: usize,
}

/// The number of bytes that are written and read at once.
const STEP: usize = 256 << 10;

// === impl Spool ===

impl Spool {
    pub(super) fn new(most: usize) -> Spool {
        Spool {
            buffer: Vec::new(),
            file: None,
            in_file: 0,
            most: most.max(STEP),
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.in_file + self.buffer.len() as u64
    }

    /// The number of bytes in memory.
    pub(super) fn in_memory(&self) -> usize {
        self.buffer.capacity()
    }

    /// Writes the bytes behind all others; returns their place.
    pub(super) fn push(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let at = self.len();
        self.buffer.extend_from_slice(bytes);
        let most = if self.file.is_some() { STEP } else { self.most };
        if self.buffer.len() >= most {
            self.flush()?;
        }
        Ok(at)
    }

    /// Forgets what stands from this place on.
    pub(super) fn truncate(&mut self, at: u64) -> io::Result<()> {
        match at.checked_sub(self.in_file) {
            Some(rest) => self.buffer.truncate(rest as usize),
            None => {
                self.buffer.clear();
                self.in_file = at;
                if let Some(file) = &self.file {
                    file.set_len(at)?;
                }
            }
        }
        Ok(())
    }

    /// Ends the writing: if there is a file, all is in it.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            self.flush()?;
            self.buffer = Vec::new();
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        file.write_all_at(&self.buffer, self.in_file)?;
        self.in_file += self.buffer.len() as u64;
        if self.buffer.capacity() > 2 * STEP {
            self.buffer = Vec::with_capacity(STEP);
        }
        self.buffer.clear();
        Ok(())
    }

    pub(super) fn reader(&self) -> Reader<'_> {
        Reader {
            spool: self,
            ahead: Vec::new(),
            from: 0,
        }
    }
}

/// Reads from a spool. What stands behind is read with it, since it is often asked for next.
pub(super) struct Reader<'s> {
    spool: &'s Spool,
    ahead: Vec<u8>,
    /// The place of the first byte of these.
    from: u64,
}

// === impl Reader ===

impl Reader<'_> {
    pub(super) fn read(&mut self, at: u64, length: usize) -> io::Result<&[u8]> {
        let Some(file) = &self.spool.file else {
            let at = at as usize;
            let bytes = self.spool.buffer.get(at..at + length);
            return bytes.ok_or_else(|| io::ErrorKind::UnexpectedEof.into());
        };
        let is_ahead = at >= self.from && at + length as u64 <= self.from + self.ahead.len() as u64;
        if !is_ahead {
            // The first time only what is needed: the next may be far away.
            let is_near = at.abs_diff(self.from + self.ahead.len() as u64) < STEP as u64;
            let step = if is_near { STEP } else { 0 };
            let there = (self.spool.in_file.saturating_sub(at)).min(usize::MAX as u64) as usize;
            self.ahead
                .resize(length.max(step).min(there).max(length), 0);
            self.from = at;
            file.read_exact_at(&mut self.ahead, at)?;
        }
        let start = (at - self.from) as usize;
        Ok(&self.ahead[start..start + length])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_from_memory_and_from_a_file() {
        for most in [STEP, 1 << 30] {
            let mut spool = Spool::new(most);
            let piece = |number: usize| vec![number as u8; 1_000 + number % 7];
            let mut places = Vec::new();
            for number in 0..2_000 {
                places.push(spool.push(&piece(number)).unwrap());
                if number == 1_500 {
                    // Into what is in the file, and within what is not.
                    for back in [1_000, 999] {
                        spool.truncate(places[back]).unwrap();
                        assert_eq!(spool.len(), places[back]);
                    }
                    places.truncate(999);
                    for number in 999..=1_500 {
                        places.push(spool.push(&piece(number)).unwrap());
                    }
                }
            }
            spool.finish().unwrap();
            assert_eq!(spool.file.is_some(), most == STEP);
            let mut reader = spool.reader();
            for step in [1, 7, 1_999] {
                for number in (0..2_000).step_by(step).chain([3, 1_990, 1_991]) {
                    let right = piece(number);
                    assert_eq!(reader.read(places[number], right.len()).unwrap(), right);
                }
            }
        }
    }
}
