//! The state under the store's lock: traces, their bytes, and the four counters that must add up.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    num::NonZeroU64,
    sync::Arc,
    time::Duration,
};

use foldhash::quality::RandomState;
use smallvec::SmallVec;
use thiserror::Error;
use trace::TraceId;

use super::{
    batch::{Batch, Batches, Facts},
    cut::Cut,
    marks::Marker,
    search::Candidate,
    size::allocated,
    stats::{Spans, Traces},
};
use crate::Config;

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
    /// The traces by their numbers, which grow: the oldest comes first.
    traces: BTreeMap<NonZeroU64, StoredTrace>,
    /// The numbers of the traces that are stored; `None` for those that were evicted last, whose late spans are refused.
    numbers: HashMap<TraceId, Option<NonZeroU64>, RandomState>,
    next_number: NonZeroU64,
    /// The ids of the evicted traces in `numbers`, in the order in which they were evicted.
    evicted: VecDeque<TraceId>,
    /// The number of evicted traces that are remembered.
    most_evicted: usize,
    /// The bytes of all traces, without the envelopes that they share.
    bytes: usize,
    stored_spans: usize,
    received_spans: u64,
    evicted_spans: u64,
    refused_spans: u64,
    evicted_traces: u64,
    revision: u64,
}

#[derive(Debug)]
pub(super) struct StoredTrace {
    pub(super) id: TraceId,
    /// The batches as received: a reader takes handles on them, and reads after the lock is released.
    pub(super) batches: Batches,
    pub(super) facts: Facts,
    pub(super) revision: u64,
    bytes: usize,
    /// The delay of the latest batch: from the end of its last span to its arrival.
    pub(super) lateness: Duration,
}

/// The bytes of a trace apart from its batches: its entries in the tables, which are at least half full.
const OF_A_TRACE: usize = 2
    * (size_of::<u64>()
        + size_of::<StoredTrace>()
        + size_of::<(TraceId, Option<NonZeroU64>)>()
        + 1);

/// The bytes of an evicted trace that is remembered, in tables that are at least half full.
pub(super) const OF_AN_EVICTION: usize =
    2 * (size_of::<(TraceId, Option<NonZeroU64>)>() + 1 + size_of::<TraceId>());

impl State {
    pub(super) fn new(config: &Config) -> State {
        State {
            max_bytes: config.max_bytes,
            max_trace_bytes: config.max_trace_bytes.min(config.max_bytes),
            traces: BTreeMap::new(),
            numbers: HashMap::default(),
            next_number: NonZeroU64::MIN,
            evicted: VecDeque::new(),
            most_evicted: config.remembered_evictions,
            bytes: 0,
            stored_spans: 0,
            received_spans: 0,
            evicted_spans: 0,
            refused_spans: 0,
            evicted_traces: 0,
            revision: 0,
        }
    }

    /// Counts spans that no trace can take: malformed ones, and those of a field that OTLP no longer has.
    pub(super) fn refuse(&mut self, spans: usize) {
        self.received_spans += spans as u64;
        self.refused_spans += spans as u64;
    }

    /// Stores a batch that comes at this time after the Unix epoch, as far as its trace has room for it.
    pub(super) fn take(&mut self, cut: Cut, marker: &Marker, now: Duration) -> Option<Refusal> {
        let Cut {
            trace_id,
            batch,
            facts,
        } = cut;
        let received = facts.spans as usize;
        self.received_spans += received as u64;
        let number = match self.numbers.get(&trace_id) {
            Some(None) => {
                self.refused_spans += received as u64;
                return Some(Refusal {
                    spans: received,
                    reason: Reason::Evicted,
                });
            }
            Some(number) => *number,
            None => None,
        };
        let held = number.and_then(|number| self.traces.get(&number));
        let before = held.map_or(OF_A_TRACE, |held| held.bytes);
        let (batch, facts, refusal) = match before + batch.weight() > self.max_trace_bytes {
            false => (batch, facts, None),
            true => {
                let room = self.max_trace_bytes.saturating_sub(before);
                let part = batch.first_within(room, marker);
                let fitting = part.as_ref().map_or(0, |(_, facts)| facts.spans as usize);
                self.refused_spans += (received - fitting) as u64;
                let refusal = (fitting < received).then_some(Refusal {
                    spans: received - fitting,
                    reason: Reason::TooLarge(self.max_trace_bytes),
                });
                let Some((batch, facts)) = part else {
                    return refusal;
                };
                (batch, facts, refusal)
            }
        };
        self.store(trace_id, number, batch, facts, now);
        refusal
    }

    fn store(
        &mut self,
        id: TraceId,
        number: Option<NonZeroU64>,
        batch: Batch,
        mut facts: Facts,
        now: Duration,
    ) {
        self.revision += 1;
        self.stored_spans += facts.spans as usize;
        let weight = batch.weight();
        let lateness = now.saturating_sub(Duration::from_nanos(facts.end_ns));
        let Some(held) = number.and_then(|number| self.traces.get_mut(&number)) else {
            let bytes = OF_A_TRACE + weight;
            self.bytes += bytes;
            let number = self.next_number;
            self.next_number = number.saturating_add(1);
            self.numbers.insert(id, Some(number));
            self.traces.insert(
                number,
                StoredTrace {
                    id,
                    batches: SmallVec::from_buf([Arc::new(batch)]),
                    facts,
                    revision: self.revision,
                    bytes,
                    lateness,
                },
            );
            return;
        };
        let list = |held: &StoredTrace| match held.batches.spilled() {
            true => allocated(held.batches.capacity() * size_of::<Arc<Batch>>()),
            false => 0,
        };
        let list_before = list(held);
        facts.first.batch = u32::try_from(held.batches.len()).unwrap_or(u32::MAX);
        held.batches.push(Arc::new(batch));
        held.facts.add(&facts);
        let more = weight + list(held) - list_before;
        held.bytes += more;
        held.revision = self.revision;
        held.lateness = held.lateness.max(lateness);
        self.bytes += more;
    }

    pub(super) fn evict_all(&mut self) {
        while self.evict_oldest() {}
        self.numbers.shrink_to_fit();
        self.revision += 1;
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn held(&self, id: TraceId) -> Option<&StoredTrace> {
        self.traces.get(self.numbers.get(&id)?.as_ref()?)
    }

    pub(super) fn ids_newest_first(&self) -> impl Iterator<Item = TraceId> {
        self.traces.values().rev().map(|held| held.id)
    }

    /// The traces older than this number, newest first, with their numbers.
    pub(super) fn older_than(
        &self,
        number: NonZeroU64,
    ) -> impl Iterator<Item = (NonZeroU64, &StoredTrace)> {
        let older = self.traces.range(..number).rev();
        older.map(|(number, held)| (*number, held))
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

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Evicts whole traces, oldest first, until all bytes are within the bound: `shared` are those of the envelopes,
    /// which may get fewer with each.
    pub(super) fn make_room(&mut self, shared: impl Fn() -> usize) {
        while self.bytes + shared() > self.max_bytes && self.evict_oldest() {}
    }

    /// Evicts one trace, whose late spans are taken all the same; returns the number of its spans.
    pub(super) fn evict(&mut self, id: TraceId) -> usize {
        let number = self.numbers.get(&id).copied().flatten();
        let Some(held) = number.and_then(|number| self.traces.remove(&number)) else {
            return 0;
        };
        self.numbers.remove(&id);
        self.revision += 1;
        self.release(&held);
        held.facts.spans as usize
    }

    pub(super) fn was_evicted(&self, id: TraceId) -> bool {
        self.numbers.get(&id) == Some(&None)
    }

    fn evict_oldest(&mut self) -> bool {
        let Some((_, held)) = self.traces.pop_first() else {
            return false;
        };
        self.release(&held);
        self.numbers.insert(held.id, None);
        self.evicted.push_back(held.id);
        while self.evicted.len() > self.most_evicted {
            if let Some(forgotten) = self.evicted.pop_front() {
                self.numbers.remove(&forgotten);
            }
        }
        true
    }

    /// Takes a trace out of the counters.
    fn release(&mut self, held: &StoredTrace) {
        self.bytes -= held.bytes;
        self.stored_spans -= held.facts.spans as usize;
        self.evicted_spans += u64::from(held.facts.spans);
        self.evicted_traces += 1;
    }
}

// === impl StoredTrace ===

impl StoredTrace {
    pub(super) fn candidate(&self) -> Candidate {
        Candidate {
            trace_id: self.id,
            revision: self.revision,
            facts: self.facts.clone(),
            batches: self.batches.clone(),
        }
    }
}
