//! Searches traces.

use std::{sync::Arc, time::Duration};

use trace::{Span, TraceId, Value};

/// The conditions for a trace. The default matches all traces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// The trace has a span of this service.
    pub service: Option<String>,
    /// The trace has a span of this name; with `service`, a span of that service.
    pub name: Option<String>,
    /// The trace has a span (of the service and the name, if given) with this attribute. A value that is not
    /// a string is compared in its printed form: `20`, `true`.
    pub attribute: Option<(String, String)>,
    /// The trace takes at least this time.
    pub min_duration: Option<Duration>,
    /// The trace has a span with the status error (`true`), or has none (`false`).
    pub error: Option<bool>,
    /// The highest number of traces in the result: the newest.
    pub limit: Option<usize>,
}

/// The summary of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Its id.
    pub trace_id: TraceId,
    /// The service of its first root, or of its earliest span if no root has come yet.
    pub service: String,
    /// The name of that span.
    pub name: String,
    /// The start of its earliest span: nanoseconds since the Unix epoch, as text in JSON.
    pub start_unix_nano: u64,
    /// The time from the start of its earliest span to the end of its last one.
    pub duration: Duration,
    /// The number of its spans.
    pub spans: usize,
    /// The number of its spans with the status error.
    pub errors: usize,
    /// The number of its spans that name no parent.
    pub roots: usize,
    /// The revision of the trace, which grows when spans arrive: see [`crate::Store::revision`].
    pub revision: u64,
}

/// A trace for the search: handles on its spans, taken under the lock, read without it.
pub(super) struct Candidate {
    pub(super) trace_id: TraceId,
    pub(super) revision: u64,
    pub(super) batches: Vec<Arc<[Span]>>,
}

/// The summaries of the traces that match the query, in the order of `traces`.
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
    // A root comes before any other span; then the earliest span counts.
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
        name: first.name.to_string(),
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
        let name = self.name.as_ref().is_none_or(|name| span.name == name);
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
