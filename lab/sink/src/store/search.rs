//! Finding traces.

use std::{sync::Arc, time::Duration};

use trace::{Span, TraceId, Value};

/// What a trace must be like to be found. The default finds all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// It has a span of this service.
    pub service: Option<String>,
    /// It has a span of this name; with `service`, a span of that service.
    pub name: Option<String>,
    /// It has a span (of the service and the name, if given) with this attribute. A value that is
    /// no string is compared as it is printed: `20`, `true`.
    pub attribute: Option<(String, String)>,
    /// It takes at least as long.
    pub min_duration: Option<Duration>,
    /// It has a span with the status error, or none.
    pub error: Option<bool>,
    /// How many traces are found at most: the newest.
    pub limit: Option<usize>,
}

/// A trace in short.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Its id.
    pub trace_id: TraceId,
    /// The service of its first root, or of its earliest span if no root has come yet.
    pub service: String,
    /// The name of that span.
    pub name: String,
    /// When its earliest span starts: nanoseconds since the Unix epoch, as text in JSON.
    pub start_unix_nano: u64,
    /// From the start of its earliest span to the end of its last one.
    pub duration: Duration,
    /// How many spans it has.
    pub spans: usize,
    /// How many of them have the status error.
    pub errors: usize,
    /// How many of them name no parent.
    pub roots: usize,
    /// It grows when spans come: see [`crate::Store::revision`].
    pub revision: u64,
}

/// A trace to look at: handles on its spans, taken under the lock, looked at without it.
pub(super) struct Candidate {
    pub(super) trace_id: TraceId,
    pub(super) revision: u64,
    pub(super) batches: Vec<Arc<[Span]>>,
}

/// The summaries of those traces that the query is true of, in the order in which they are given.
pub(super) fn search(traces: Vec<Candidate>, query: &Query) -> Vec<Summary> {
    traces
        .into_iter()
        .filter_map(|trace| summary(&trace, query))
        .take(query.limit.unwrap_or(usize::MAX))
        .collect()
}

fn summary(trace: &Candidate, query: &Query) -> Option<Summary> {
    let spans = || trace.batches.iter().flat_map(|spans| spans.iter());
    if query.asks_for_a_span() && !spans().any(|span| query.is_true_of(span)) {
        return None;
    }
    let errors = spans().filter(|span| span.is_error()).count();
    if query.error.is_some_and(|wanted| wanted != (errors > 0)) {
        return None;
    }
    // A root before any other span, then the earliest.
    let first = spans().min_by_key(|span| (span.parent_span_id.is_some(), span.start_ns))?;
    let start_unix_nano = spans().map(|span| span.start_ns).min()?;
    let end = spans().map(|span| span.end_ns).max()?;
    let duration = Duration::from_nanos(end.saturating_sub(start_unix_nano));
    if query.min_duration.is_some_and(|least| duration < least) {
        return None;
    }
    Some(Summary {
        trace_id: trace.trace_id,
        service: first.service().to_owned(),
        name: first.name.clone(),
        start_unix_nano,
        duration,
        spans: spans().count(),
        errors,
        roots: spans().filter(|span| span.parent_span_id.is_none()).count(),
        revision: trace.revision,
    })
}

impl Query {
    fn asks_for_a_span(&self) -> bool {
        self.service.is_some() || self.name.is_some() || self.attribute.is_some()
    }

    fn is_true_of(&self, span: &Span) -> bool {
        let service = self
            .service
            .as_ref()
            .is_none_or(|service| span.service() == service);
        let name = self.name.as_ref().is_none_or(|name| &span.name == name);
        service
            && name
            && self.attribute.as_ref().is_none_or(|(key, text)| {
                span.attributes
                    .iter()
                    .any(|(found, value)| found == key && reads(value, text))
            })
    }
}

fn reads(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found == text,
        other => other.to_string() == text,
    }
}
