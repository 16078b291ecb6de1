//! [`Store`]: the received spans, limited in bytes, with exact counters.
//!
//! One lock guards the traces and the counters together, so that a reader of the counters always sees a
//! correct sum. The lock is held only to move batches and to count: a request is walked and copied before, and what
//! is read is decoded and searched after.

mod batch;
mod cut;
mod envelope;
mod held;
mod marks;
pub(crate) mod search;
mod size;
pub(crate) mod stats;
mod stored;

use std::{
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use trace::TraceId;

use self::{
    envelope::Envelopes,
    held::{Refusal, State},
    marks::Marker,
    search::{Asked, Candidate, Summary},
    stats::{Bytes, Received, Requests, Stats},
};
use crate::{
    Config, Taken,
    room::{Room, Share},
    taken::Lost,
};

pub(crate) use cut::NotCut;
pub use {
    search::Query,
    stored::{Stored, TooMuch, Trace},
};

/// A handle on the spans; its clones share one store.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    state: Mutex<State>,
    envelopes: Envelopes,
    marker: Marker,
    /// For what is received and decoded.
    room: Room,
    /// The revision of the whole store: it grows with every change.
    revision: watch::Sender<u64>,
    counters: Counters,
}

/// Independent counters, which need not agree with the others.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) log_records: AtomicU64,
    pub(crate) data_points: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) partial: AtomicU64,
    pub(crate) malformed: AtomicU64,
    pub(crate) overloaded: AtomicU64,
    /// Texts in which U+FFFD replaces what is no character.
    pub(crate) replaced: AtomicU64,
}

impl Store {
    /// The memory of an evicted trace that is remembered, in bytes.
    pub(crate) const OF_AN_EVICTION: usize = held::OF_AN_EVICTION;

    /// An empty store.
    pub fn new(config: Config) -> Store {
        let state = Mutex::new(State::new(&config));
        let room = Room::new(config.max_in_flight_bytes);
        Store(Arc::new(Inner {
            config,
            state,
            envelopes: Envelopes::new(),
            marker: Marker::default(),
            room,
            revision: watch::Sender::new(0),
            counters: Counters::default(),
        }))
    }

    /// The limits of the store.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Takes an encoded `ExportTraceServiceRequest`: stores its spans, or refuses them with a reason.
    ///
    /// # Errors
    ///
    /// When the bytes are not such a message. Then nothing of it is stored.
    pub fn take(&self, request: &[u8]) -> Result<Taken, otlp::DecodeError> {
        let mut share = Room::new(usize::MAX).share();
        self.take_within(request, Lost::default(), &mut share)
            .map_err(|error| match error {
                NotCut::Decode(error) => error,
                NotCut::NoRoom => unreachable!("this room has no bound"),
            })
    }

    /// Takes a request like [`Store::take`], within the room that it has.
    pub(crate) fn take_within(
        &self,
        request: &[u8],
        lost: Lost,
        share: &mut Share,
    ) -> Result<Taken, NotCut> {
        let Inner {
            envelopes, marker, ..
        } = &*self.0;
        let mut taken = Taken::default();
        let (cuts, walked) = cut::cut(request, envelopes, marker, share, &mut taken)?;
        let library_spans = walked.library_spans + lost.library_spans;
        if library_spans > 0 {
            taken.refuse(library_spans, || OLD_NAMES.to_owned());
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default();
        let mut state = self.state();
        state.refuse(taken.refused);
        let mut stored = false;
        for cut in cuts {
            let (id, spans) = (cut.trace_id, cut.facts.spans as usize);
            let refused = state.take(cut, marker, now);
            stored |= refused.as_ref().is_none_or(|refused| refused.spans < spans);
            if let Some(Refusal { spans, reason }) = refused {
                taken.refuse(spans, || format!("trace {id}: {reason}"));
            }
        }
        state.make_room(|| envelopes.bytes());
        let revision = state.revision();
        drop(state);
        if stored {
            self.announce(revision);
        }
        taken.replaced(walked.not_utf8 + lost.replaced);
        Counters::add(&self.0.counters.replaced, walked.not_utf8 as u64);
        Ok(taken)
    }

    /// The spans of the trace with this id that have arrived so far; `None` if there are none.
    pub fn trace(&self, id: TraceId) -> Option<trace::Trace> {
        self.stored(id).map(|stored| stored.decode())
    }

    /// The same trace, decoded within the memory that the sink has for it: a few bytes may become a hundred times as
    /// many. The memory is given back when the result is dropped.
    ///
    /// # Errors
    ///
    /// When the decoded trace would take more memory than is free now.
    pub fn trace_within(&self, id: TraceId) -> Result<Option<Trace>, TooMuch> {
        let stored = self.stored(id);
        stored
            .map(|stored| stored.decode_within(&self.0.room))
            .transpose()
    }

    /// The same spans, in the bytes that came.
    pub fn stored(&self, id: TraceId) -> Option<Stored> {
        let state = self.state();
        let held = state.held(id)?;
        Some(Stored::new(id, held.facts.spans, held.batches.clone()))
    }

    /// A number that grows whenever spans of this trace arrive: while it is the same, the trace is the same.
    /// Read it before the trace, not after.
    pub fn revision(&self, id: TraceId) -> Option<u64> {
        self.state().held(id).map(|held| held.revision)
    }

    /// The delay of this trace's latest batch: from the end of its last span to its arrival.
    pub fn lateness(&self, id: TraceId) -> Option<Duration> {
        self.state().held(id).map(|held| held.lateness)
    }

    /// A receiver of the store's revision, which grows when spans are stored or traces are forgotten.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.revision.subscribe()
    }

    /// The ids of all traces, newest first.
    pub fn trace_ids(&self) -> Vec<TraceId> {
        self.state().ids_newest_first().collect()
    }

    /// The traces that match a query, newest first.
    pub fn search(&self, query: &Query) -> Vec<Summary> {
        let asked = Asked::new(query, &self.0.marker);
        let limit = query.limit.unwrap_or(usize::MAX);
        let (mut found, mut before) = (Vec::new(), NonZeroU64::MAX);
        while found.len() < limit {
            let wanted = (limit - found.len()).min(AT_ONCE);
            let candidates = self.candidates(&asked, &mut before, wanted);
            if candidates.is_empty() {
                break;
            }
            let matching = candidates.into_iter().filter(|trace| asked.matches(trace));
            found.extend(matching.map(Candidate::into_summary));
        }
        found
    }

    /// Traces that may match, newest first: those before this number, which becomes that of the last one.
    fn candidates(
        &self,
        asked: &Asked<'_>,
        before: &mut NonZeroU64,
        wanted: usize,
    ) -> Vec<Candidate> {
        let state = self.state();
        let mut candidates = Vec::new();
        for (number, held) in state.older_than(*before) {
            *before = number;
            if asked.may_match(&held.facts) {
                candidates.push(held.candidate());
                if candidates.len() == wanted {
                    break;
                }
            }
        }
        candidates
    }

    /// Forgets a trace that its reader has finished with; returns the number of its spans, which count as
    /// evicted. Its late spans are not refused: they begin it anew, and the reader decides what they are.
    pub fn forget(&self, id: TraceId) -> usize {
        let mut state = self.state();
        let spans = state.evict(id);
        let revision = state.revision();
        drop(state);
        if spans > 0 {
            self.announce(revision);
        }
        spans
    }

    /// Whether this trace was here and was evicted, as far as evictions are remembered.
    pub fn was_evicted(&self, id: TraceId) -> bool {
        self.state().was_evicted(id)
    }

    /// Forgets all traces; their spans count as evicted, and late ones are refused.
    pub fn forget_all(&self) {
        let mut state = self.state();
        state.evict_all();
        let revision = state.revision();
        drop(state);
        self.announce(revision);
    }

    /// The counters. Those that must agree are from the same instant.
    pub fn stats(&self) -> Stats {
        let counters = &self.0.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let state = self.state();
        Stats {
            spans: state.spans(),
            traces: state.traces(),
            bytes: Bytes {
                stored: (state.bytes() + self.0.envelopes.bytes()) as u64,
                limit: self.0.config.max_bytes as u64,
            },
            logs: Received {
                received: read(&counters.log_records),
            },
            metrics: Received {
                received: read(&counters.data_points),
            },
            requests: Requests {
                accepted: read(&counters.accepted),
                partial: read(&counters.partial),
                malformed: read(&counters.malformed),
                overloaded: read(&counters.overloaded),
            },
            replaced: read(&counters.replaced),
        }
    }

    /// The room for what is received and decoded.
    pub(crate) fn room(&self) -> &Room {
        &self.0.room
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    fn announce(&self, revision: u64) {
        self.0.revision.send_if_modified(|known| {
            // Two revisions that were taken one after the other may arrive here in the other order.
            let newer = revision > *known;
            *known = revision.max(*known);
            newer
        });
    }

    /// Locks the state. A panic under the lock is a defect, which is reported where it happens; the state is
    /// still the best that can be read.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, number: u64) {
        counter.fetch_add(number, Ordering::Relaxed);
    }
}

/// Why spans below `instrumentationLibrarySpans` are refused.
const OLD_NAMES: &str = "instrumentationLibrarySpans: OTLP 0.15 renamed this field to scopeSpans, and OTLP 1.0 \
     does not have the old name";

/// The number of traces that a search takes from the index at once: so long it holds the lock.
const AT_ONCE: usize = 1024;
