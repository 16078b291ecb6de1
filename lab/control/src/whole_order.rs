//! Waits until all spans of an order have arrived.

use std::{future::Future, time::Duration};

use sink::{Query, Store};
use tokio::time::{Instant, timeout};
use trace::{Kind, Trace, TraceId, is_whole};

/// The longest pause between two reads while nothing arrives.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits until the trace of an order is whole (see [`trace::is_whole`]) and did not change for `rest`.
/// Returns it with the traces that continue its messages. After `patience` and `rest` it returns them in the
/// state that they have then.
///
/// `flush` makes the services export their spans; it is awaited before each read.
pub async fn whole_order<F, Fut>(
    store: &Store,
    trace_id: TraceId,
    rest: Duration,
    patience: Duration,
    flush: F,
) -> Vec<Trace>
where
    F: Fn() -> Fut,
    Fut: Future<Output = ()>,
{
    let deadline = Instant::now() + patience + rest;
    let (mut spans_before, mut unchanged_since) = (0, Instant::now());
    loop {
        let mut arrivals = store.changes();
        flush().await;
        let traces = with_related(store, trace_id);
        let spans = traces.iter().map(|trace| trace.spans().len()).sum();
        let changed = spans != std::mem::replace(&mut spans_before, spans);
        if changed {
            unchanged_since = Instant::now();
        }
        let at_rest = !changed && unchanged_since.elapsed() >= rest;
        if Instant::now() >= deadline || (at_rest && is_whole(&traces)) {
            return traces;
        }
        let _ = timeout(POLL_INTERVAL, arrivals.changed()).await;
    }
}

fn with_related(store: &Store, trace_id: TraceId) -> Vec<Trace> {
    let Some(trace) = store.trace(trace_id) else {
        return Vec::new();
    };
    let sent: Vec<String> = trace
        .spans()
        .iter()
        .filter(|span| span.kind == Kind::Producer)
        .filter_map(|span| {
            Some(
                span.attributes
                    .get("messaging.message.id")?
                    .as_str()?
                    .to_owned(),
            )
        })
        .collect();
    let mut traces = vec![trace];
    for message in sent {
        for related in with_attribute(store, "messaging.message.id", &message) {
            if traces.iter().all(|trace| trace.id() != related.id()) {
                traces.push(related);
            }
        }
    }
    traces
}

/// The traces with a span that has this attribute.
fn with_attribute(store: &Store, key: &str, value: &str) -> Vec<Trace> {
    let query = Query {
        attribute: Some((key.to_owned(), value.to_owned())),
        ..Query::default()
    };
    store
        .search(&query)
        .into_iter()
        .filter_map(|found| store.trace(found.trace_id))
        .collect()
}
