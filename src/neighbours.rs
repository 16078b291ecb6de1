//! The neighbours of traces in a lab: other traces of the same time or the same business id. What needs several
//! traces, such as a lock that one holds and another waits for, is found in them together.

use std::collections::HashSet;

use ::trace::{Trace, TraceId, Value, tree};
use futures::{StreamExt, TryStreamExt, stream};
use protocol::TraceSummary;

use crate::lab::LabArgs;

/// How long before and after a trace its neighbours in time lie, in nanoseconds.
const NEAR_NS: u64 = 2_000_000_000;

/// The highest number of neighbours: the nearest in time.
const MOST: usize = 200;

/// The number of traces that are read without a name: the newest.
const LATELY: usize = 100;

/// The highest number of traces that are asked for at the same time.
const AT_ONCE: usize = 8;

/// The attributes that several traces of one order or message share.
const SHARED: [&str; 3] = [
    "order.id",
    "messaging.message.id",
    "messaging.message.conversation_id",
];

/// Reads the neighbours that the lab has of these traces.
pub(crate) async fn of(asked: &[Trace], lab: &LabArgs) -> anyhow::Result<Vec<Trace>> {
    let mut seen: HashSet<TraceId> = asked.iter().map(Trace::id).collect();
    let mut ids: Vec<TraceId> = Vec::new();
    for (key, value) in shared_ids(asked) {
        ids.extend(new(&mut seen, lab.traces_with(&key, &value).await?));
    }
    let mut near: Vec<(u64, TraceSummary)> = lab
        .newest_traces(usize::MAX)
        .await?
        .into_iter()
        .map(|summary| (distance(asked, &summary), summary))
        .filter(|(distance, _)| *distance <= NEAR_NS)
        .collect();
    near.sort_by_key(|(distance, summary)| (*distance, summary.start_unix_nano));
    ids.extend(new(&mut seen, near.into_iter().map(|(_, summary)| summary)));
    ids.truncate(MOST);
    read(&ids, lab).await
}

/// Reads the newest traces of the lab.
pub(crate) async fn newest(lab: &LabArgs) -> anyhow::Result<Vec<Trace>> {
    let newest = lab.newest_traces(LATELY).await?;
    let ids: Vec<TraceId> = newest.iter().map(|summary| summary.trace_id).collect();
    read(&ids, lab).await
}

/// The ids of the summaries that were not seen before.
fn new(
    seen: &mut HashSet<TraceId>,
    summaries: impl IntoIterator<Item = TraceSummary>,
) -> Vec<TraceId> {
    let ids = summaries.into_iter().map(|summary| summary.trace_id);
    ids.filter(|id| seen.insert(*id)).collect()
}

/// The attributes of the traces, each once, by which others may belong to them.
fn shared_ids(traces: &[Trace]) -> HashSet<(String, String)> {
    let spans = traces.iter().flat_map(Trace::spans);
    let attributes = spans.flat_map(|span| span.attributes.iter());
    attributes
        .filter(|(key, _)| SHARED.contains(key))
        .filter_map(|(key, value)| match value {
            Value::String(text) => Some((key.to_owned(), text.to_string())),
            _ => None,
        })
        .take(MOST)
        .collect()
}

/// The time between a trace and the nearest of those that were asked for, in nanoseconds.
fn distance(asked: &[Trace], summary: &TraceSummary) -> u64 {
    let start = summary.start_unix_nano;
    let end = start.saturating_add((summary.duration_ms * 1e6) as u64);
    let to_one = |trace: &Trace| {
        let before = trace.start_ns().saturating_sub(end);
        before.max(start.saturating_sub(trace.end_ns()))
    };
    asked.iter().map(to_one).min().unwrap_or(u64::MAX)
}

/// Reads traces. One that was evicted since is left out.
async fn read(ids: &[TraceId], lab: &LabArgs) -> anyhow::Result<Vec<Trace>> {
    let read = stream::iter(ids.iter().copied())
        .map(|id| lab.spans_if_there(id))
        .buffered(AT_ONCE);
    let spans: Vec<_> = read.try_collect().await?;
    Ok(tree::group(spans.into_iter().flatten().flatten()))
}
