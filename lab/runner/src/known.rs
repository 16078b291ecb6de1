//! [`Known`]: the ids by which traces are matched to the requests of all scenarios of a run.

use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::RandomState},
    hash::BuildHasher,
};

use loadgen::Line;
use trace::{Trace, TraceId};

use crate::traces::{mentions, request_of};

/// The number of requests that are known: the latest. Their ids take some 100 bytes each.
const MOST: usize = 65_536;

/// The ids of the latest requests. A trace that mentions one of them belongs to a request.
#[derive(Debug, Default)]
pub(crate) struct Known {
    traces: HashMap<TraceId, Entry>,
    /// The hashes of the ids of orders and messages, and of requests whose trace is not known by its id.
    mentions: HashSet<u64>,
    requests: VecDeque<Ids>,
    hasher: RandomState,
}

/// What is known of a trace.
#[derive(Debug, Default)]
struct Entry {
    /// How many of the requests have it.
    requests: usize,
    /// Whether it was judged and forgotten: what comes of it now is late.
    is_judged: bool,
}

/// The ids of one request.
#[derive(Debug)]
struct Ids {
    trace: Option<TraceId>,
    mentions: [Option<u64>; 3],
}

// === impl Known ===

impl Known {
    /// Adds a request, and forgets the oldest one when there are too many.
    pub(crate) fn add(&mut self, line: &Line) {
        let hash = |id: &str| self.hasher.hash_one(id);
        let without_trace = line.trace_id.is_none().then(|| line.request_id.as_str());
        let texts = [
            line.order_id.as_deref(),
            line.message_id.as_deref(),
            without_trace,
        ];
        let ids = Ids {
            trace: line.trace_id,
            mentions: texts.map(|text| text.map(hash)),
        };
        self.keep(ids);
    }

    /// Notes that these traces were judged and forgotten.
    pub(crate) fn judged(&mut self, traces: impl IntoIterator<Item = TraceId>) {
        for trace in traces {
            if !self.has(trace) {
                self.keep(Ids {
                    trace: Some(trace),
                    mentions: [None; 3],
                });
            }
            self.traces.entry(trace).or_default().is_judged = true;
        }
    }

    fn keep(&mut self, ids: Ids) {
        if let Some(trace) = ids.trace {
            self.traces.entry(trace).or_default().requests += 1;
        }
        self.mentions.extend(ids.mentions.iter().flatten());
        self.requests.push_back(ids);
        while self.requests.len() > MOST {
            let Some(oldest) = self.requests.pop_front() else {
                break;
            };
            for mention in oldest.mentions.iter().flatten() {
                self.mentions.remove(mention);
            }
            if let Some(trace) = oldest.trace
                && let Some(entry) = self.traces.get_mut(&trace)
            {
                entry.requests -= 1;
                if entry.requests == 0 {
                    self.traces.remove(&trace);
                }
            }
        }
    }

    /// Whether this is the trace of a request.
    pub(crate) fn has(&self, id: TraceId) -> bool {
        self.traces.contains_key(&id)
    }

    /// Whether this trace was judged and forgotten.
    pub(crate) fn is_judged(&self, id: TraceId) -> bool {
        self.traces.get(&id).is_some_and(|entry| entry.is_judged)
    }

    /// Whether a trace belongs to a request: it is the trace of one, links to it, or mentions it.
    pub(crate) fn explains(&self, trace: &Trace) -> bool {
        self.has(trace.id())
            || trace.spans().iter().any(|span| {
                let mut links = span.links.iter();
                let mut texts = mentions(span).chain(request_of(span));
                links.any(|link| self.has(link.trace_id))
                    || texts.any(|text| self.mentions.contains(&self.hasher.hash_one(text)))
            })
    }
}
