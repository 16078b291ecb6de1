//! All received traces, and the connections between them.
//!
//! The index is updated, not rebuilt: an unchanged trace is not read again.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use loadgen::Line;
use sink::Store;
use tokio::time::Instant;
use trace::{Span, Trace, TraceId, Value};

use crate::known::Known;

/// All received traces.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    by_id: HashMap<TraceId, Seen>,
    /// The traces by the `lab.request` that a service records from the baggage.
    by_request: HashMap<String, TraceId>,
    /// The traces by the ids of their orders and messages.
    by_mention: HashMap<String, BTreeSet<TraceId>>,
    /// The traces by the traces that their spans link to.
    by_link: HashMap<TraceId, BTreeSet<TraceId>>,
    changes: u64,
    spans: usize,
}

#[derive(Debug)]
struct Seen {
    trace: Arc<Trace>,
    lateness: Option<Duration>,
    /// The last revision of the store that was read.
    revision: u64,
    /// The counter of changes: grows with each change of any trace.
    change: u64,
    /// When it changed last.
    changed: Instant,
}

/// The trace of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) trace: Option<Arc<Trace>>,
    /// The connected traces that belong to no other request.
    pub(crate) related: Vec<Trace>,
    /// The delay of the latest span, from the end of the span to its arrival.
    pub(crate) arrival: Option<Duration>,
    /// The change counter at the last change of any of these traces.
    pub(crate) change: u64,
    /// Whether there is no trace because it was evicted before it was read.
    pub(crate) is_evicted: bool,
}

// === impl Traces ===

impl Traces {
    /// Reads the changes of a store.
    pub(crate) fn refresh(&mut self, store: &Store) {
        let ids = store.trace_ids();
        let there: HashSet<&TraceId> = ids.iter().collect();
        let gone = self.by_id.keys().filter(|id| !there.contains(id));
        for id in gone.copied().collect::<Vec<_>>() {
            self.forget(id);
        }
        for id in ids {
            let Some(revision) = store.revision(id) else {
                continue;
            };
            if self.by_id.get(&id).map(|seen| seen.revision) == Some(revision) {
                continue;
            }
            if let Some(trace) = store.trace(id) {
                self.put(trace, revision, store.lateness(id));
            }
        }
    }

    /// Adds a trace that was read from another source. It counts as changed if it has more spans than before.
    pub(crate) fn take(&mut self, trace: Trace) {
        let spans = trace.spans().len() as u64;
        if self.by_id.get(&trace.id()).map(|seen| seen.revision) != Some(spans) {
            self.put(trace, spans, None);
        }
    }

    fn put(&mut self, trace: Trace, revision: u64, lateness: Option<Duration>) {
        let id = trace.id();
        for span in trace.spans() {
            if let Some(request) = request_of(span) {
                self.by_request.insert(request.to_owned(), id);
            }
            for mention in mentions(span) {
                self.by_mention
                    .entry(mention.to_owned())
                    .or_default()
                    .insert(id);
            }
            for link in &span.links {
                self.by_link.entry(link.trace_id).or_default().insert(id);
            }
        }
        self.changes += 1;
        let seen = Seen {
            trace: Arc::new(trace),
            lateness,
            revision,
            change: self.changes,
            changed: Instant::now(),
        };
        if let Some(before) = self.by_id.insert(id, seen) {
            self.spans -= before.trace.spans().len();
        }
        self.spans += self.by_id[&id].trace.spans().len();
    }

    /// Removes a trace.
    pub(crate) fn forget(&mut self, id: TraceId) {
        let Some(seen) = self.by_id.remove(&id) else {
            return;
        };
        self.spans -= seen.trace.spans().len();
        for span in seen.trace.spans() {
            if let Some(request) = request_of(span)
                && self.by_request.get(request) == Some(&id)
            {
                self.by_request.remove(request);
            }
            for mention in mentions(span) {
                if let Some(traces) = self.by_mention.get_mut(mention) {
                    traces.remove(&id);
                    if traces.is_empty() {
                        self.by_mention.remove(mention);
                    }
                }
            }
            for link in &span.links {
                if let Some(traces) = self.by_link.get_mut(&link.trace_id) {
                    traces.remove(&id);
                    if traces.is_empty() {
                        self.by_link.remove(&link.trace_id);
                    }
                }
            }
        }
    }

    /// The ids of all traces here.
    pub(crate) fn ids(&self) -> impl Iterator<Item = TraceId> {
        self.by_id.keys().copied()
    }

    /// The number of spans of all traces here.
    pub(crate) fn spans(&self) -> usize {
        self.spans
    }

    /// The id of a request's trace: from the `traceresponse` of its reply or, without a reply, from the
    /// `lab.request` that checkout records from the baggage.
    pub(crate) fn id_of(&self, line: &Line) -> Option<TraceId> {
        line.trace_id
            .or_else(|| self.by_request.get(line.request_id.as_str()).copied())
    }

    /// Finds the trace of a request. `known` identifies the traces of other requests.
    pub(crate) fn find(&self, line: &Line, known: &Known) -> Found {
        let Some(seen) = self.id_of(line).and_then(|id| self.by_id.get(&id)) else {
            return Found::default();
        };
        let related = self.related(line, &seen.trace, known);
        let change = related
            .iter()
            .filter_map(|id| self.by_id.get(id))
            .fold(seen.change, |latest, other| latest.max(other.change));
        let related = related
            .iter()
            .filter_map(|id| Some((*self.by_id.get(id)?.trace).clone()))
            .collect();
        Found {
            trace: Some(from_root(&seen.trace, line)),
            related,
            arrival: seen.lateness,
            change,
            is_evicted: false,
        }
    }

    /// The traces that link to a trace or mention its order or one of its messages.
    fn related(&self, line: &Line, trace: &Trace, known: &Known) -> BTreeSet<TraceId> {
        let of_line = [line.order_id.as_deref(), line.message_id.as_deref()];
        let of_spans = trace.spans().iter().flat_map(mentions);
        let mentioned = of_line
            .into_iter()
            .flatten()
            .chain(of_spans)
            .filter_map(|mention| self.by_mention.get(mention));
        let linked = self.by_link.get(&trace.id());
        mentioned
            .chain(linked)
            .flatten()
            .filter(|id| **id != trace.id() && !known.has(**id))
            .copied()
            .collect()
    }

    /// The traces that belong to no request and did not change since `unchanged_since`.
    pub(crate) fn unexplained(&self, known: &Known, unchanged_since: Instant) -> Vec<Arc<Trace>> {
        let mut unexplained: Vec<Arc<Trace>> = self
            .by_id
            .values()
            .filter(|seen| seen.changed <= unchanged_since && !known.explains(&seen.trace))
            .map(|seen| Arc::clone(&seen.trace))
            .collect();
        unexplained.sort_by_key(|trace| trace.id());
        unexplained
    }
}

/// The `lab.request` that a service records from the baggage of its request.
pub(crate) fn request_of(span: &Span) -> Option<&str> {
    text(span, "lab.request")
}

/// The ids of orders and messages that a span names.
pub(crate) fn mentions(span: &Span) -> impl Iterator<Item = &str> {
    ["order.id", "messaging.message.id"]
        .into_iter()
        .filter_map(|key| text(span, key))
        .filter(|id| !id.is_empty())
}

fn text<'s>(span: &'s Span, key: &str) -> Option<&'s str> {
    span.attributes.get(key).and_then(Value::as_str)
}

/// The trace of a request whose caller was the load generator itself. The load generator makes no spans, so
/// its children are moved to the top.
fn from_root(trace: &Arc<Trace>, line: &Line) -> Arc<Trace> {
    let Some(sent) = line.sent_span_id else {
        return Arc::clone(trace);
    };
    let mut spans = trace.spans().to_vec();
    for span in &mut spans {
        if span.parent_span_id == Some(sent) {
            span.parent_span_id = None;
        }
    }
    Arc::new(Trace::new(trace.id(), spans))
}
