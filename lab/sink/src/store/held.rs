//! The state under the store's lock: traces, their bytes, and the four counters that must add up.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use thiserror::Error;
use trace::{Span, TraceId};

use super::{
    search::Candidate,
    size,
    stats::{Bytes, Spans, Traces},
};
use crate::Config;

/// The spans of one trace from one request, with their sizes.
pub(super) struct Batch {
    pub(super) trace_id: TraceId,
    pub(super) spans: Vec<Span>,
    /// The bytes of each span, without its shared resource and scope.
    bytes: Vec<usize>,
}

/// The time since the end of the last of these spans.
fn lateness(spans: &[Span]) -> Duration {
    let ended = spans.iter().map(|span| span.end_ns).max().unwrap_or(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
        .saturating_sub(Duration::from_nanos(ended))
}

/// Spans that were not stored.
pub(super) struct Refusal {
    pub(super) spans: usize,
    pub(super) reason: Reason,
}

#[derive(Clone, Copy, Debug, Error)]
pub(super) enum Reason {
    #[error("it was evicted to make room, and its late spans are refused")]
    Evicted,
    #[error("it has reached the {0} bytes that one trace may take")]
    TooLarge(usize),
}

/// The traces and the counters, which agree.
#[derive(Debug)]
pub(super) struct State {
    max_bytes: usize,
    max_trace_bytes: usize,
    traces: HashMap<TraceId, StoredTrace>,
    /// The ids of `traces`, oldest first.
    order: VecDeque<TraceId>,
    evicted: Evicted,
    shared: Shared,
    /// The bytes of all spans, including shared resources and scopes.
    bytes: usize,
    stored_spans: usize,
    received_spans: u64,
    evicted_spans: u64,
    refused_spans: u64,
    evicted_traces: u64,
    revision: u64,
}

#[derive(Debug, Default)]
struct StoredTrace {
    /// The batches as received: a reader takes handles on them, and copies after the lock is released.
    batches: Vec<Arc<[Span]>>,
    spans: usize,
    bytes: usize,
    revision: u64,
    /// The delay of the latest batch: from the end of its last span to its arrival.
    lateness: Duration,
}

impl Batch {
    pub(super) fn new(trace_id: TraceId, spans: Vec<Span>) -> Batch {
        let bytes = spans.iter().map(size::of_span).collect();
        Batch {
            trace_id,
            spans,
            bytes,
        }
    }
}

impl State {
    pub(super) fn new(config: &Config) -> State {
        State {
            max_bytes: config.max_bytes,
            max_trace_bytes: config.max_trace_bytes.min(config.max_bytes),
            traces: HashMap::new(),
            order: VecDeque::new(),
            evicted: Evicted {
                most: config.remembered_evictions,
                ..Evicted::default()
            },
            shared: Shared::default(),
            bytes: 0,
            stored_spans: 0,
            received_spans: 0,
            evicted_spans: 0,
            refused_spans: 0,
            evicted_traces: 0,
            revision: 0,
        }
    }

    /// Counts malformed spans, which could not be assigned to a trace.
    pub(super) fn refuse_malformed(&mut self, spans: usize) {
        self.received_spans += spans as u64;
        self.refused_spans += spans as u64;
    }

    /// Stores a batch, as far as its trace has room for it, and evicts traces to make room.
    pub(super) fn take(&mut self, batch: Batch) -> Option<Refusal> {
        let Batch {
            trace_id,
            mut spans,
            bytes,
        } = batch;
        let received = spans.len();
        self.received_spans += received as u64;
        if self.evicted.contains(trace_id) {
            self.refused_spans += received as u64;
            return Some(Refusal {
                spans: received,
                reason: Reason::Evicted,
            });
        }

        let held_bytes = self
            .traces
            .get(&trace_id)
            .map_or(size::OF_A_TRACE, |held| held.bytes);
        let mut after = held_bytes;
        let fitting = bytes.iter().take_while(|&&bytes| {
            let fits = after + bytes <= self.max_trace_bytes;
            after += if fits { bytes } else { 0 };
            fits
        });
        let fitting = fitting.count();
        spans.truncate(fitting);
        self.refused_spans += (received - fitting) as u64;
        if fitting > 0 {
            self.store(trace_id, spans, after);
            self.make_room();
        }
        (fitting < received).then_some(Refusal {
            spans: received - fitting,
            reason: Reason::TooLarge(self.max_trace_bytes),
        })
    }

    pub(super) fn evict_all(&mut self) {
        while self.evict_oldest() {}
        self.revision += 1;
    }

    /// Evicts one trace, whose late spans are taken all the same; returns the number of its spans.
    pub(super) fn evict(&mut self, id: TraceId) -> usize {
        // A reader finishes with the oldest traces first, so the place is near the front.
        let Some(place) = self.order.iter().position(|other| *other == id) else {
            return 0;
        };
        self.order.remove(place);
        self.revision += 1;
        self.release(id)
    }

    pub(super) fn was_evicted(&self, id: TraceId) -> bool {
        self.evicted.contains(id)
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn trace_revision(&self, id: TraceId) -> Option<u64> {
        self.traces.get(&id).map(|held| held.revision)
    }

    pub(super) fn lateness(&self, id: TraceId) -> Option<Duration> {
        self.traces.get(&id).map(|held| held.lateness)
    }

    pub(super) fn batches(&self, id: TraceId) -> Option<Vec<Arc<[Span]>>> {
        self.traces.get(&id).map(|held| held.batches.clone())
    }

    pub(super) fn ids_newest_first(&self) -> impl Iterator<Item = TraceId> {
        self.order.iter().rev().copied()
    }

    /// All traces, newest first.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let traces = self
            .ids_newest_first()
            .filter_map(|id| Some((id, self.traces.get(&id)?)));
        traces
            .map(|(trace_id, held)| Candidate {
                trace_id,
                revision: held.revision,
                batches: held.batches.clone(),
            })
            .collect()
    }

    pub(super) fn spans(&self) -> Spans {
        Spans {
            received: self.received_spans,
            stored: self.stored_spans as u64,
            evicted: self.evicted_spans,
            refused: self.refused_spans,
        }
    }

    pub(super) fn traces(&self) -> Traces {
        Traces {
            stored: self.traces.len() as u64,
            evicted: self.evicted_traces,
        }
    }

    pub(super) fn bytes(&self) -> Bytes {
        Bytes {
            stored: self.bytes as u64,
            limit: self.max_bytes as u64,
        }
    }

    /// Stores spans of a trace, whose size is `bytes` with them.
    fn store(&mut self, id: TraceId, spans: Vec<Span>, bytes: usize) {
        self.revision += 1;
        self.stored_spans += spans.len();
        self.bytes += spans
            .iter()
            .map(|span| self.shared.hold(span))
            .sum::<usize>();
        let held = self.traces.entry(id).or_insert_with(|| {
            self.order.push_back(id);
            StoredTrace::default()
        });
        self.bytes += bytes - held.bytes;
        held.bytes = bytes;
        held.spans += spans.len();
        held.revision = self.revision;
        held.lateness = held.lateness.max(lateness(&spans));
        held.batches.push(spans.into());
    }

    fn make_room(&mut self) {
        while self.bytes > self.max_bytes && self.evict_oldest() {}
    }

    fn evict_oldest(&mut self) -> bool {
        let Some(id) = self.order.pop_front() else {
            return false;
        };
        self.release(id);
        self.evicted.remember(id);
        true
    }

    /// Takes a trace out of the counters; returns the number of its spans.
    fn release(&mut self, id: TraceId) -> usize {
        let held = self.traces.remove(&id).unwrap_or_default();
        self.bytes -= held.bytes;
        for span in held.batches.iter().flat_map(|spans| spans.iter()) {
            self.bytes -= self.shared.release(span);
        }
        self.stored_spans -= held.spans;
        self.evicted_spans += held.spans as u64;
        self.evicted_traces += 1;
        held.spans
    }
}

/// The resources and scopes that stored spans share. Each is counted once, while a span uses it. The keys are
/// their addresses, which stay the same during that time.
#[derive(Debug, Default)]
struct Shared(HashMap<usize, Holding>);

#[derive(Debug)]
struct Holding {
    bytes: usize,
    spans: usize,
}

impl Shared {
    /// Adds a span, and returns the bytes that it adds.
    fn hold(&mut self, span: &Span) -> usize {
        let resource = self.add(address(&span.resource), || {
            size::of_resource(&span.resource)
        });
        resource + self.add(address(&span.scope), || size::of_scope(&span.scope))
    }

    /// Removes a span, and returns the bytes that it releases.
    fn release(&mut self, span: &Span) -> usize {
        self.subtract(address(&span.resource)) + self.subtract(address(&span.scope))
    }

    fn add(&mut self, address: usize, bytes: impl FnOnce() -> usize) -> usize {
        let holding = self.0.entry(address).or_insert_with(|| Holding {
            bytes: bytes(),
            spans: 0,
        });
        holding.spans += 1;
        if holding.spans == 1 { holding.bytes } else { 0 }
    }

    fn subtract(&mut self, address: usize) -> usize {
        let Some(holding) = self.0.get_mut(&address) else {
            return 0;
        };
        holding.spans -= 1;
        if holding.spans > 0 {
            return 0;
        }
        let bytes = holding.bytes;
        self.0.remove(&address);
        bytes
    }
}

fn address<T>(shared: &Arc<T>) -> usize {
    Arc::as_ptr(shared).addr()
}

/// The ids of the traces that were evicted last.
#[derive(Debug, Default)]
struct Evicted {
    most: usize,
    ids: HashSet<TraceId>,
    order: VecDeque<TraceId>,
}

impl Evicted {
    fn contains(&self, id: TraceId) -> bool {
        self.ids.contains(&id)
    }

    fn remember(&mut self, id: TraceId) {
        if self.ids.insert(id) {
            self.order.push_back(id);
        }
        while self.order.len() > self.most {
            if let Some(forgotten) = self.order.pop_front() {
                self.ids.remove(&forgotten);
            }
        }
    }
}
