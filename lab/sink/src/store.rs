//! [`Store`]: the received spans, limited in bytes, with exact counters.
//!
//! One lock guards the traces and the counters together, so that a reader of the counters always sees a
//! correct sum. The lock is held only to move spans and to count: spans are sized before, and copied and
//! searched after.

mod held;
pub(crate) mod search;
mod size;
pub(crate) mod stats;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use trace::{Span, Trace, TraceId, otlp::Decoded};

use self::{
    held::{Batch, Refusal, State},
    search::Summary,
    stats::{Received, Requests, Stats},
};
use crate::{Config, Taken};

pub use search::Query;

/// A handle on the spans; its clones share one store.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    state: Mutex<State>,
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
    /// An empty store.
    pub fn new(config: Config) -> Store {
        let state = Mutex::new(State::new(&config));
        Store(Arc::new(Inner {
            config,
            state,
            revision: watch::Sender::new(0),
            counters: Counters::default(),
        }))
    }

    /// The limits of the store.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Takes a decoded request: stores its spans, or refuses them with a reason.
    pub fn take(&self, decoded: Decoded) -> Taken {
        let mut taken = Taken::default();
        for rejected in &decoded.rejected {
            taken.refuse(1, || rejected.to_string());
        }
        if decoded.library_spans > 0 {
            taken.refuse(decoded.library_spans, || OLD_NAMES.to_owned());
        }
        taken.replaced(decoded.replaced);
        Counters::add(&self.0.counters.replaced, decoded.replaced as u64);
        let batches = by_trace(decoded.spans);
        let mut state = self.state();
        state.refuse_malformed(decoded.rejected.len() + decoded.library_spans);
        let mut stored = false;
        for batch in batches {
            let (id, spans) = (batch.trace_id, batch.spans.len());
            let refused = state.take(batch);
            stored |= refused.as_ref().is_none_or(|refused| refused.spans < spans);
            if let Some(Refusal { spans, reason }) = refused {
                taken.refuse(spans, || format!("trace {id}: {reason}"));
            }
        }
        let revision = state.revision();
        drop(state);
        if stored {
            self.announce(revision);
        }
        taken
    }

    /// The spans of the trace with this id that have arrived so far; `None` if there are none.
    pub fn trace(&self, id: TraceId) -> Option<Trace> {
        let batches = self.state().batches(id)?;
        let spans = batches
            .iter()
            .flat_map(|spans| spans.iter().cloned())
            .collect();
        Some(Trace::new(id, spans))
    }

    /// A number that grows whenever spans of this trace arrive: while it is the same, the trace is the same.
    /// Read it before the trace, not after.
    pub fn revision(&self, id: TraceId) -> Option<u64> {
        self.state().trace_revision(id)
    }

    /// The delay of this trace's latest batch: from the end of its last span to its arrival.
    pub fn lateness(&self, id: TraceId) -> Option<Duration> {
        self.state().lateness(id)
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
        let candidates = self.state().candidates();
        search::search(candidates, query)
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
            bytes: state.bytes(),
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

/// Groups spans by trace, in the order of each trace's first span.
fn by_trace(spans: Vec<Span>) -> Vec<Batch> {
    let mut places: HashMap<TraceId, usize> = HashMap::new();
    let mut groups: Vec<(TraceId, Vec<Span>)> = Vec::new();
    for span in spans {
        let place = *places.entry(span.trace_id).or_insert_with(|| {
            groups.push((span.trace_id, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(span);
    }
    groups
        .into_iter()
        .map(|(id, spans)| Batch::new(id, spans))
        .collect()
}
