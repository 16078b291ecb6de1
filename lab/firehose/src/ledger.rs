//! [`Ledger`]: what has become of each span, in a mapped file: one byte a span, and some counts.
//!
//! What was written into a mapped file outlives the process that wrote it: when the receiver is killed, it opens the
//! file again and goes on. Others read the file meanwhile ([`LedgerReader`]).

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

use memmap2::{Mmap, MmapMut};
use plain::Plain;
use thiserror::Error;

use crate::latencies::{BUCKETS, Latencies, bucket};

/// A ledger that a receiver writes.
#[derive(Debug)]
pub(crate) struct Ledger {
    map: MmapMut,
}

/// A ledger that is read, while a receiver may write it.
#[derive(Debug)]
pub struct LedgerReader {
    file: File,
}

/// The fates of all spans, one after the other.
#[derive(Debug)]
pub struct Arrivals {
    map: Mmap,
    spans: usize,
}

/// What a receiver has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Spans of the run that have arrived, each time that they came.
    pub spans: u64,
    /// Requests.
    pub requests: u64,
    /// The bytes of their bodies, before they were unpacked.
    pub bytes: u64,
    /// Spans that the run did not send: of other runs, of nobody, or with changed ids.
    pub foreign: u64,
    /// Requests that are no OTLP.
    pub malformed: u64,
    /// Spans whose content was compared.
    pub compared: u64,
    /// Spans whose content was another than was sent.
    pub corrupted: u64,
    /// When the first and the last span arrived, in nanoseconds since the Unix epoch.
    pub first_ns: u64,
    /// See `first_ns`.
    pub last_ns: u64,
}

/// Why a ledger cannot be used.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The file cannot be opened, made or mapped.
    #[error("the ledger {}", Plain(path.display()))]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is another file.
    #[error("{} is no ledger", Plain(.0.display()))]
    NoLedger(PathBuf),
    /// It is the ledger of another workload.
    #[error("{} is the ledger of another workload", Plain(.0.display()))]
    OtherWorkload(PathBuf),
}

/// The numbers in the head of the file, each of eight bytes.
#[derive(Clone, Copy)]
#[repr(usize)]
pub(crate) enum Number {
    Magic,
    Workload,
    Planned,
    Spans,
    Requests,
    Bytes,
    Foreign,
    Malformed,
    Compared,
    Corrupted,
    First,
    Last,
}

const MAGIC: u64 = u64::from_le_bytes(*b"fireldg1");
const HEAD: usize = 4096;
/// Where the head has what was changed in the first span that came with other content: a length, and a text.
const CHANGE: usize = 1024;
const LATENCIES: usize = HEAD + BUCKETS * 8;

/// The lowest bits of a span's byte: how often it came, at most [`MANY`].
const TIMES: u8 = 0b11;
const MANY: u8 = 3;
/// The bit of a span that came with other content.
const CHANGED: u8 = 0x80;

// === impl Ledger ===

impl Ledger {
    /// Opens the ledger of a workload with this many spans, or makes it.
    pub(crate) fn open(path: &Path, workload: u64, planned: u64) -> Result<Ledger, LedgerError> {
        let failed = |source| LedgerError::File {
            path: path.to_owned(),
            source,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let is_new = file.metadata().map_err(failed)?.len() == 0;
        if is_new {
            // Pages that are not written take no place.
            file.set_len(LATENCIES as u64 + planned).map_err(failed)?;
        } else {
            let reader = LedgerReader::of(file.try_clone().map_err(failed)?, path)?;
            if reader.head(failed)? != [MAGIC, workload, planned] {
                return Err(LedgerError::OtherWorkload(path.to_owned()));
            }
        }
        #[expect(
            unsafe_code,
            reason = "a mapped file costs a store a span, and a write of what changed costs a system call a request; the \
                      file is private to this run, and nothing makes it shorter"
        )]
        let map = unsafe { MmapMut::map_mut(&file) }.map_err(failed)?;
        let mut ledger = Ledger { map };
        if is_new {
            ledger.set(Number::Workload, workload);
            ledger.set(Number::Planned, planned);
            ledger.set(Number::Magic, MAGIC);
        }
        Ok(ledger)
    }

    /// How many spans are planned.
    pub(crate) fn planned(&self) -> u64 {
        (self.map.len() - LATENCIES) as u64
    }

    /// Notes the arrival of a span, and returns how often it had come before.
    #[inline]
    pub(crate) fn arrived(&mut self, slot: u64) -> u8 {
        let byte = &mut self.map[LATENCIES + slot as usize];
        let before = *byte & TIMES;
        *byte += u8::from(before < MANY);
        before
    }

    /// Notes that a span came with other content.
    pub(crate) fn corrupted(&mut self, slot: u64) {
        self.map[LATENCIES + slot as usize] |= CHANGED;
    }

    /// Whether nothing is noted of what was changed.
    pub(crate) fn has_no_change(&self) -> bool {
        self.map[CHANGE..CHANGE + 2] == [0, 0]
    }

    /// Notes what was changed in a span, if it is the first.
    pub(crate) fn note_change(&mut self, text: &str) {
        if self.has_no_change() {
            let place = CHANGE + 2;
            let text = &text[..text.floor_char_boundary(HEAD - place)];
            self.map[place..place + text.len()].copy_from_slice(text.as_bytes());
            // The text first: whoever reads a length finds all of it.
            self.map[CHANGE..place].copy_from_slice(&(text.len() as u16).to_le_bytes());
        }
    }

    /// Adds to a number of the head.
    pub(crate) fn add(&mut self, number: Number, more: u64) {
        self.set(number, self.get(number) + more);
    }

    pub(crate) fn get(&self, number: Number) -> u64 {
        let at = number as usize * 8;
        u64::from_le_bytes(self.map[at..at + 8].try_into().expect("eight bytes"))
    }

    pub(crate) fn set(&mut self, number: Number, value: u64) {
        let at = number as usize * 8;
        self.map[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    /// Counts `spans` spans that came at `now` and were due then, if that is known.
    pub(crate) fn took(&mut self, now: Duration, due: Option<Duration>, spans: u64) {
        let Some(due) = due.filter(|_| spans > 0) else {
            return;
        };
        let at = HEAD + bucket(now.saturating_sub(due)) * 8;
        let place = &mut self.map[at..at + 8];
        let count = u64::from_le_bytes((&*place).try_into().expect("eight bytes"));
        place.copy_from_slice(&(count + spans).to_le_bytes());
    }
}

// === impl LedgerReader ===

impl LedgerReader {
    /// Opens the ledger that a receiver has made.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, or is no ledger.
    pub fn open(path: &Path) -> Result<LedgerReader, LedgerError> {
        let file = File::open(path).map_err(|source| LedgerError::File {
            path: path.to_owned(),
            source,
        })?;
        LedgerReader::of(file, path)
    }

    fn of(file: File, path: &Path) -> Result<LedgerReader, LedgerError> {
        let reader = LedgerReader { file };
        let no_ledger = |_| LedgerError::NoLedger(path.to_owned());
        match reader.head(no_ledger)? {
            [MAGIC, ..] => Ok(reader),
            _ => Err(LedgerError::NoLedger(path.to_owned())),
        }
    }

    fn head<E>(&self, failed: impl Fn(io::Error) -> E) -> Result<[u64; 3], E> {
        let number = |number| self.number(number).map_err(&failed);
        Ok([
            number(Number::Magic)?,
            number(Number::Workload)?,
            number(Number::Planned)?,
        ])
    }

    fn number(&self, number: Number) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, number as u64 * 8)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// The [`Workload::digest`](crate::Workload::digest) of the workload whose spans these are.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn workload(&self) -> io::Result<u64> {
        self.number(Number::Workload)
    }

    /// What was counted until now.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn received(&self) -> io::Result<Received> {
        let number = |number| self.number(number);
        Ok(Received {
            spans: number(Number::Spans)?,
            requests: number(Number::Requests)?,
            bytes: number(Number::Bytes)?,
            foreign: number(Number::Foreign)?,
            malformed: number(Number::Malformed)?,
            compared: number(Number::Compared)?,
            corrupted: number(Number::Corrupted)?,
            first_ns: number(Number::First)?,
            last_ns: number(Number::Last)?,
        })
    }

    /// What was changed in the first span that came with other content, in words.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn change(&self) -> io::Result<Option<String>> {
        let mut bytes = [0; HEAD - CHANGE];
        self.file.read_exact_at(&mut bytes, CHANGE as u64)?;
        let length = usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
        let text = bytes[2..].get(..length).unwrap_or_default();
        let text = String::from_utf8_lossy(text).into_owned();
        Ok((!text.is_empty()).then_some(text))
    }

    /// The times that spans took until now, from the time at which they were to be sent.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn latencies(&self) -> io::Result<Latencies> {
        let mut bytes = vec![0; BUCKETS * 8];
        self.file.read_exact_at(&mut bytes, HEAD as u64)?;
        Ok(Latencies::from_bytes(&bytes))
    }

    /// What arrived of each span.
    ///
    /// # Errors
    ///
    /// When the file cannot be mapped.
    pub fn arrivals(&self) -> io::Result<Arrivals> {
        #[expect(
            unsafe_code,
            reason = "reading the file would take a second byte of memory a span; it is private to this run, and \
                      nothing makes it shorter"
        )]
        let map = unsafe { Mmap::map(&self.file) }?;
        let spans = map.len().saturating_sub(LATENCIES);
        Ok(Arrivals { map, spans })
    }
}

// === impl Arrivals ===

impl Arrivals {
    /// How often a span came, at most 3, which is "3 or more".
    pub fn times(&self, slot: u64) -> u8 {
        self.byte(slot) & TIMES
    }

    /// Whether a span came with other content.
    pub fn is_corrupted(&self, slot: u64) -> bool {
        self.byte(slot) & CHANGED != 0
    }

    /// How many spans were planned.
    pub fn spans(&self) -> u64 {
        self.spans as u64
    }

    fn byte(&self, slot: u64) -> u8 {
        self.map[LATENCIES + slot as usize]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn the_first_change_is_kept_and_a_long_one_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        for (name, noted) in [
            ("short", "kind is another".to_owned()),
            ("long", "ü".repeat(4_000)),
        ] {
            let path = folder.path().join(name);
            let mut ledger = Ledger::open(&path, 1, 10).unwrap();
            let reader = LedgerReader::open(&path).unwrap();
            assert_eq!(reader.change().unwrap(), None);
            ledger.note_change(&noted);
            ledger.note_change("the second one");
            let change = reader.change().unwrap().unwrap();
            assert!(noted.starts_with(&change) && change.len() >= noted.len().min(3_000));
            assert_eq!(reader.received().unwrap(), Received::default());
            assert_eq!(ledger.arrived(0), 0);
        }
    }
}
