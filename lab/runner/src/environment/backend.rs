//! Reads the traces of requests from a tracing backend instead of the lab's sink.

use backends::{Criterion, Query, Reader};
use futures::{StreamExt, stream};
use loadgen::Line;
use trace::{Trace, TraceId};

use crate::traces::mentions;

/// The highest number of concurrent reads.
const CONCURRENT: usize = 8;

/// The service whose spans of an order may be in a trace of their own.
const CONSUMER: &str = "email";

/// The most traces of one order.
const MOST: usize = 20;

/// The traces of these requests, and those that name their orders. What cannot be read now is read again later.
pub(super) async fn traces_of(reader: &dyn Reader, lines: Vec<&Line>) -> Vec<Trace> {
    let read = stream::iter(lines.into_iter().map(|line| traces_of_one(reader, line)))
        .buffer_unordered(CONCURRENT)
        .collect::<Vec<_>>()
        .await;
    read.into_iter().flatten().collect()
}

async fn traces_of_one(reader: &dyn Reader, line: &Line) -> Vec<Trace> {
    let Some(id) = line.trace_id else {
        return Vec::new();
    };
    let Some(own) = trace(reader, id).await else {
        return Vec::new();
    };
    // A consumer that starts a trace of its own is found by the order. One that is in this trace need not be.
    let has_consumer = own.spans().iter().any(|span| span.service() == CONSUMER);
    let can_search = reader.searches().contains(&Criterion::Attribute);
    let mut traces = vec![own];
    if let (false, true, Some(order)) = (has_consumer, can_search, &line.order_id) {
        let query = Query {
            service: Some(CONSUMER.to_owned()),
            attribute: Some(("order.id".to_owned(), order.clone())),
            limit: MOST,
            ..Query::default()
        };
        for other in reader.search(&query).await.unwrap_or_default() {
            // A search may find too much: Jaeger's API v3 over HTTP does not look at attributes.
            let found = if other == id {
                None
            } else {
                trace(reader, other).await
            };
            let names_it = |trace: &Trace| {
                trace
                    .spans()
                    .iter()
                    .flat_map(mentions)
                    .any(|id| id == order.as_str())
            };
            traces.extend(found.filter(names_it));
        }
    }
    traces
}

async fn trace(reader: &dyn Reader, id: TraceId) -> Option<Trace> {
    let read = reader.trace(id).await.ok()??;
    Some(Trace::new(id, read.spans))
}
