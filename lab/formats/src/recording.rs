//! The spans of trace files, kept as encoded bytes outside of memory and found again by their trace.
//!
//! A file is gone over once: each span is written behind the others into a [`Spool`], and noted with its trace. Then the
//! traces are read, one after the other, in any order and as often as needed.

mod envelopes;
mod spool;

use std::{
    collections::{HashMap, hash_map::RandomState},
    io,
};

use thiserror::Error;
use trace::{
    Fidelity, Span, SpanId, Trace, TraceId,
    otlp::{self, DecodeError, Found, Rejected, SpanHead},
};

use self::{
    envelopes::{Envelope, Envelopes},
    spool::Spool,
};

/// The default of [`Limits::memory`]: 1 GiB.
pub const MEMORY: usize = 1 << 30;

/// How much a reader of trace files takes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The bytes of memory for the reading itself: the part of a text that is being read, and what is known of each
    /// span.
    pub memory: usize,
    /// The highest number of unpacked bytes of one file.
    pub unpacked: usize,
}

/// Writes spans into a recording.
#[derive(Debug)]
pub(crate) struct Writer {
    spool: Spool,
    entries: Vec<Entry>,
    traces: Vec<Recorded>,
    places: HashMap<TraceId, u32, RandomState>,
    envelopes: Envelopes,
    /// The number of the file that is being read.
    source: u16,
    /// The bytes that entries, traces and envelopes may still take.
    room: usize,
    most: usize,
}

/// A span.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The place of its bytes.
    at: u64,
    length: u32,
    trace: u32,
    envelope: u32,
    source: u16,
    fidelity: Fidelity,
}

/// What is known of a trace without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its id.
    pub id: TraceId,
    /// The number of its spans.
    pub spans: usize,
    /// The start of its first span, in nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// The end of its last span.
    pub end_ns: u64,
    /// The bytes of memory that it takes when it is read.
    pub memory: usize,
    /// Where its spans begin in the order of all.
    first: usize,
}

/// What a span takes in a [`Trace`] besides what it owns: its parent, its children, the tree.
const OF_A_NODE: usize = 96;

/// The state of a recording to which [`Writer::take_back`] goes back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    entries: usize,
    spooled: u64,
    envelopes: usize,
}

/// Why a span was not recorded.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The spool cannot be written or read.
    #[error("the temporary file of spans cannot be used: {0}")]
    Spool(#[from] io::Error),
    /// What must be known of the spans does not fit into memory.
    #[error("what is known of {spans} spans fills the {most} MiB that there are for it")]
    Full {
        /// The number of spans that were read.
        spans: usize,
        /// The limit, in MiB.
        most: usize,
    },
    /// A request is not OTLP.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// What was found in a request.
#[derive(Debug, Default)]
pub(crate) struct Added {
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) replaced: usize,
    pub(crate) library_spans: usize,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: MEMORY,
            unpacked: crate::MOST_UNPACKED,
        }
    }
}

// === impl Writer ===

impl Writer {
    pub(crate) fn new(limits: Limits) -> Writer {
        let most = limits.memory / 2;
        Writer {
            spool: Spool::new(limits.memory / 16),
            entries: Vec::new(),
            traces: Vec::new(),
            places: HashMap::default(),
            envelopes: Envelopes::default(),
            source: 0,
            room: most,
            most,
        }
    }

    /// Says that what follows is of another file.
    pub(crate) fn next_source(&mut self) {
        self.source = self.source.saturating_add(1);
    }

    pub(crate) fn spans(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            entries: self.entries.len(),
            spooled: self.spool.len(),
            envelopes: self.envelopes.len(),
        }
    }

    /// Takes back all spans since the mark.
    pub(crate) fn take_back(&mut self, mark: Mark) -> Result<(), RecordError> {
        self.room += (self.entries.len() - mark.entries) * OF_AN_ENTRY;
        self.entries.truncate(mark.entries);
        self.envelopes.truncate(mark.envelopes);
        Ok(self.spool.truncate(mark.spooled)?)
    }

    /// An envelope of which nothing is known yet: [`Writer::seal`] says it.
    pub(crate) fn open_envelope(&mut self) -> Result<u32, RecordError> {
        self.take_room(size_of::<Envelope>())?;
        Ok(self.envelopes.open())
    }

    /// Says which resource and scope these envelopes have, by an encoded `ResourceSpans` and by a `ScopeSpans` for each.
    pub(crate) fn seal(
        &mut self,
        resource: &[u8],
        scopes: &[(u32, Vec<u8>)],
    ) -> Result<(), RecordError> {
        let taken = self.envelopes.seal(resource, scopes);
        self.take_room(taken)
    }

    /// Adds an encoded span.
    pub(crate) fn span(
        &mut self,
        head: &SpanHead<'_>,
        envelope: u32,
        fidelity: Fidelity,
    ) -> Result<(), RecordError> {
        self.take_room(OF_AN_ENTRY)?;
        let next = self.traces.len() as u32;
        let trace = *self.places.entry(head.trace_id).or_insert(next);
        if trace == next {
            self.take_room(OF_A_TRACE)?;
            self.traces.push(Recorded {
                id: head.trace_id,
                spans: 0,
                start_ns: u64::MAX,
                end_ns: 0,
                memory: 0,
                first: 0,
            });
        }
        let recorded = &mut self.traces[trace as usize];
        recorded.start_ns = recorded.start_ns.min(head.start_ns);
        recorded.end_ns = recorded.end_ns.max(head.end_ns);
        recorded.memory += otlp::decoded_size(head.message) + OF_A_NODE;
        self.entries.push(Entry {
            at: self.spool.push(head.message)?,
            length: u32::try_from(head.message.len()).unwrap_or(u32::MAX),
            trace,
            envelope,
            source: self.source,
            fidelity,
        });
        Ok(())
    }

    /// Adds the spans of an encoded request; none of them if it is no OTLP.
    pub(crate) fn request(&mut self, request: &[u8]) -> Result<Added, RecordError> {
        let before = self.mark();
        let mut added = Added::default();
        let (mut resource, mut scope) = (Vec::new(), Vec::new());
        let mut envelope = None;
        let walked = otlp::walk(request, |found| {
            match found {
                Found::Resource(message) => {
                    resource = without_inner(message);
                    envelope = None;
                }
                Found::Scope(message) => {
                    scope = without_inner(message);
                    envelope = None;
                }
                Found::Rejected(rejected) => added.rejected.push(rejected),
                Found::Span(head) => {
                    let open = match envelope {
                        Some(open) => open,
                        None => {
                            let open = self.open_envelope()?;
                            self.seal(&resource, &[(open, std::mem::take(&mut scope))])?;
                            *envelope.insert(open)
                        }
                    };
                    self.span(&head, open, Fidelity::Exact)?;
                }
            }
            Ok::<(), RecordError>(())
        });
        match walked {
            Ok(walked) => {
                added.replaced = walked.not_utf8;
                added.library_spans = walked.library_spans;
                Ok(added)
            }
            Err(error) => {
                self.take_back(before)?;
                Err(error)
            }
        }
    }

    /// Adds decoded spans.
    pub(crate) fn decoded(&mut self, spans: &[Span]) -> Result<(), RecordError> {
        for span in spans {
            let (envelope, taken) = self.envelopes.of(span);
            self.take_room(taken)?;
            let message = otlp::span_to_protobuf(span);
            let head = SpanHead {
                trace_id: span.trace_id,
                is_root: span.parent_span_id.is_none(),
                is_error: span.is_error(),
                start_ns: span.start_ns,
                end_ns: span.end_ns,
                name: span.name.as_bytes(),
                field: &[],
                message: &message,
            };
            self.span(&head, envelope, span.fidelity)?;
        }
        Ok(())
    }

    fn take_room(&mut self, bytes: usize) -> Result<(), RecordError> {
        match self.room.checked_sub(bytes) {
            Some(room) => {
                self.room = room;
                Ok(())
            }
            None => Err(RecordError::Full {
                spans: self.entries.len(),
                most: self.most >> 20,
            }),
        }
    }

    /// Ends the writing.
    pub(crate) fn finish(mut self) -> Result<Recording, RecordError> {
        self.spool.finish()?;
        drop(self.places);
        for entry in &self.entries {
            self.traces[entry.trace as usize].spans += 1;
        }
        let mut first = 0;
        for trace in &mut self.traces {
            trace.first = first;
            first += trace.spans;
        }
        // By trace, and within a trace in the order in which they were read.
        let mut next: Vec<usize> = self.traces.iter().map(|trace| trace.first).collect();
        let mut order = vec![0_u32; self.entries.len()];
        for (number, entry) in self.entries.iter().enumerate() {
            let place = &mut next[entry.trace as usize];
            order[*place] = number as u32;
            *place += 1;
        }
        // Those whose spans were all taken back.
        self.traces.retain(|trace| trace.spans > 0);
        self.traces
            .sort_unstable_by_key(|trace| (trace.start_ns, trace.id));
        Ok(Recording {
            spool: self.spool,
            entries: self.entries,
            order,
            traces: self.traces,
            envelopes: self.envelopes,
            sources: self.source,
        })
    }
}

/// What is known of a span, and its place in the order by traces.
const OF_AN_ENTRY: usize = 2 * size_of::<Entry>() + size_of::<u32>();
/// A trace, and its place in the table by ids.
const OF_A_TRACE: usize = 2 * (size_of::<Recorded>() + size_of::<(TraceId, u32)>() + 8);

/// The spans of trace files, by trace. They are no longer in memory.
#[derive(Debug)]
pub struct Recording {
    spool: Spool,
    entries: Vec<Entry>,
    /// The numbers of the entries, by trace.
    order: Vec<u32>,
    traces: Vec<Recorded>,
    envelopes: Envelopes,
    /// The number of files.
    sources: u16,
}

// === impl Recording ===

impl Recording {
    /// The traces, the earliest first.
    pub fn traces(&self) -> &[Recorded] {
        &self.traces
    }

    /// The bytes of memory that are taken for what is known of the spans.
    pub fn index_bytes(&self) -> usize {
        let entries = self.entries.len() * (size_of::<Entry>() + size_of::<u32>());
        entries + self.traces.len() * size_of::<Recorded>() + self.spool.in_memory()
    }

    /// Reads the spans of a trace, in the order of the files. A span that stands in several files is read once.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be read.
    pub fn spans(&self, trace: &Recorded) -> io::Result<Vec<Span>> {
        let numbers = &self.order[trace.first..trace.first + trace.spans];
        let entries = numbers.iter().map(|number| &self.entries[*number as usize]);
        let spans = self.decode(entries.clone())?;
        if self.sources <= 1 {
            return Ok(spans);
        }
        // The ids and times of the spans, with the file in which each stands first.
        let mut first: HashMap<(SpanId, u64, u64), u16> = HashMap::with_capacity(spans.len());
        let mut kept = Vec::with_capacity(spans.len());
        for (span, entry) in spans.into_iter().zip(entries) {
            let identity = (span.span_id, span.start_ns, span.end_ns);
            if *first.entry(identity).or_insert(entry.source) == entry.source {
                kept.push(span);
            }
        }
        Ok(kept)
    }

    /// Reads a trace.
    ///
    /// # Errors
    ///
    /// As of [`Recording::spans`].
    pub fn trace(&self, trace: &Recorded) -> io::Result<Trace> {
        Ok(Trace::new(trace.id, self.spans(trace)?))
    }

    /// Reads all spans, in the order of the files.
    ///
    /// # Errors
    ///
    /// As of [`Recording::spans`].
    pub(crate) fn all(&self) -> io::Result<Vec<Span>> {
        self.decode(self.entries.iter())
    }

    fn decode<'e>(
        &self,
        entries: impl ExactSizeIterator<Item = &'e Entry>,
    ) -> io::Result<Vec<Span>> {
        let mut spans = Vec::with_capacity(entries.len());
        let mut reader = self.spool.reader();
        for entry in entries {
            let message = reader.read(entry.at, entry.length as usize)?;
            let (resource, scope) = self.envelopes.get(entry.envelope);
            // Each was read before it was recorded.
            if let Ok(mut span) = otlp::span(message, resource, scope) {
                span.fidelity = entry.fidelity;
                spans.push(span);
            }
        }
        Ok(spans)
    }
}

/// An encoded `ResourceSpans` without its scopes, or `ScopeSpans` without its spans.
fn without_inner(message: &[u8]) -> Vec<u8> {
    const INNER: u32 = 2;
    let fields = ::otlp::wire::Fields::of(message).map_while(Result::ok);
    let outer = fields.filter(|field| field.number != INNER);
    outer.flat_map(|field| field.whole).copied().collect()
}
