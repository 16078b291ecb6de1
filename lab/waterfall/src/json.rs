//! The waterfall as JSON, for programs.

use std::time::Duration;

use serde_json::{Value as Json, json};
use trace::{Link, Top, Trace, milliseconds};

/// Converts the tree of a trace to one JSON document: spans in the order of the tree, times in milliseconds
/// since the start of the trace.
///
/// ```json
/// {"trace_id": hex, "duration_ms": 201.3, "services": ["checkout"], "errors": 0, "spans": [
///   {"span_id": hex, "parent_span_id": hex or null, "depth": 0, "top": "root", "service": "checkout",
///    "name": "POST /checkout", "kind": "server", "start_ms": 0.0, "duration_ms": 155.2,
///    "status": "unset", "status_message": "", "links": [{"trace_id": hex, "span_id": hex}]}]}
/// ```
///
/// `top` says why a span has no parent in the tree: `root`, `orphan`, `cycle`, or null if it has one.
pub fn to_json(trace: &Trace) -> Json {
    let spans: Vec<Json> = trace
        .walk()
        .map(|(index, depth)| span(trace, index, depth))
        .collect();
    json!({
        "trace_id": trace.id(),
        "duration_ms": ms(trace.end_ns() - trace.start_ns()),
        "services": trace.services(),
        "errors": trace.errors(),
        "spans": spans,
    })
}

fn span(trace: &Trace, index: usize, depth: usize) -> Json {
    let span = trace.span(index);
    json!({
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "depth": depth,
        "top": trace.top(index).map(top),
        "service": span.service(),
        "name": span.name,
        "kind": span.kind.as_str(),
        "start_ms": ms(span.start_ns - trace.start_ns()),
        "duration_ms": ms(span.end_ns.saturating_sub(span.start_ns)),
        "status": span.status.code.as_str(),
        "status_message": span.status.message,
        "links": span.links.iter().map(link).collect::<Vec<_>>(),
    })
}

fn link(link: &Link) -> Json {
    json!({ "trace_id": link.trace_id, "span_id": link.span_id })
}

fn top(top: Top) -> &'static str {
    match top {
        Top::Root => "root",
        Top::Orphan => "orphan",
        Top::Cycle => "cycle",
    }
}

fn ms(ns: u64) -> f64 {
    milliseconds(Duration::from_nanos(ns))
}
