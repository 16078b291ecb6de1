//! The room that the traces of a run take in the sink: what is read and judged is forgotten, so that nothing is
//! evicted unread.

use std::{
    collections::{HashSet, VecDeque},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use loadgen::Line;
use parking_lot::Mutex;
use tokio::time::Instant;
use trace::{Trace, TraceId};

use super::{Environment, Kind};
use crate::{
    case::Unexplained,
    traces::{Found, mentions},
};

/// The share of the sink's memory from which on room is made, and the load waits if there is none.
pub(crate) const NEARLY_FULL: f64 = 0.5;

/// The number of traces of finished phases that stay in the sink while there is room for them.
const MOST_FINISHED: usize = 16_384;

/// The number of traces without a request that are kept by themselves; of the others, the spans are counted.
const MOST_UNEXPLAINED: usize = 1_000;

/// What was forgotten, and what may be.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// The traces of finished phases, the oldest first. Their phases have all that they need of them.
    finished: Mutex<VecDeque<TraceId>>,
    /// The traces that belong to no request and were forgotten.
    unexplained: Mutex<Vec<Unexplained>>,
    forgotten_spans: AtomicU64,
    /// The number of those that came after their traces were judged.
    late_spans: AtomicU64,
}

// === impl Room ===

impl Room {
    /// The number of spans that were forgotten, of all traces.
    pub(super) fn forgotten_spans(&self) -> u64 {
        self.forgotten_spans.load(Ordering::Relaxed)
    }

    /// The traces that belong to no request and were forgotten.
    pub(super) fn unexplained(&self) -> Vec<Unexplained> {
        self.unexplained.lock().clone()
    }
}

impl Environment {
    /// Forgets traces that were judged, here and in the sink.
    pub(crate) async fn forget(&self, ids: impl IntoIterator<Item = TraceId>) {
        for id in ids {
            self.traces.lock().await.forget(id);
            let spans = match &self.kind {
                Kind::RunningLab(lab) => lab.forget(id).await,
                Kind::PrivateLab(_) | Kind::OwnServices(_) => {
                    self.store().map_or(0, |store| store.forget(id) as u64)
                }
            };
            let forgotten = &self.room.forgotten_spans;
            forgotten.fetch_add(spans, Ordering::Relaxed);
        }
    }

    /// Forgets the traces of requests that were judged, but for those that also belong to a request of `open`: a
    /// consumer may take the messages of several requests in one trace.
    pub(crate) async fn forget_judged(&self, judged: &[(Line, Found)], open: &[&Line]) {
        let texts: HashSet<&str> = open
            .iter()
            .flat_map(|line| [line.order_id.as_deref(), line.message_id.as_deref()])
            .flatten()
            .collect();
        let traces: HashSet<TraceId> = open.iter().filter_map(|line| line.trace_id).collect();
        let is_open = |trace: &&Trace| {
            trace.spans().iter().any(|span| {
                let mut links = span.links.iter();
                links.any(|link| traces.contains(&link.trace_id))
                    || mentions(span).any(|text| texts.contains(text))
            })
        };
        let mut ids: Vec<TraceId> = Vec::new();
        for (_, found) in judged {
            ids.extend(found.trace.as_ref().map(|trace| trace.id()));
            let related = found.related.iter().filter(|trace| !is_open(trace));
            ids.extend(related.map(|trace| trace.id()));
        }
        self.known.lock().await.judged(ids.iter().copied());
        self.forget(ids).await;
    }

    /// Forgets what came of traces after they were judged.
    pub(crate) async fn forget_late(&self) {
        let late: Vec<TraceId> = {
            let traces = self.traces.lock().await;
            let known = self.known.lock().await;
            traces.ids().filter(|id| known.is_judged(*id)).collect()
        };
        let before = self.room.forgotten_spans();
        self.forget(late).await;
        let late = self.room.forgotten_spans() - before;
        self.room.late_spans.fetch_add(late, Ordering::Relaxed);
    }

    /// The number of spans that came after their traces were judged.
    pub(crate) fn late_spans(&self) -> u64 {
        self.room.late_spans.load(Ordering::Relaxed)
    }

    /// Notes that a phase has all that it needs of these traces: they are forgotten when there is no room for
    /// others.
    pub(crate) async fn finish(&self, ids: impl IntoIterator<Item = TraceId>) {
        let too_many: Vec<TraceId> = {
            let mut finished = self.room.finished.lock();
            finished.extend(ids);
            let more = finished.len().saturating_sub(MOST_FINISHED);
            finished.drain(..more).collect()
        };
        self.known.lock().await.judged(too_many.iter().copied());
        self.forget(too_many).await;
    }

    /// Whether the traces that are not judged yet take much of the sink's memory. Before it says so, it forgets
    /// the traces of finished phases, and those that belong to no request and did not change for `patience`.
    pub(crate) async fn is_nearly_full(&self, patience: Duration) -> bool {
        if self.share_of_memory().await < NEARLY_FULL {
            return false;
        }
        if matches!(self.kind, Kind::RunningLab(_)) {
            return true;
        }
        let finished = std::mem::take(&mut *self.room.finished.lock());
        self.known.lock().await.judged(finished.iter().copied());
        self.forget(finished).await;
        if let Some(since) = Instant::now().checked_sub(patience) {
            let unexplained = self.unexplained_since(since).await;
            self.forget(unexplained.iter().map(|trace| trace.id()))
                .await;
            let mut kept = self.room.unexplained.lock();
            for trace in &unexplained {
                let one = Unexplained::of(trace);
                let is_enough = kept.len() >= MOST_UNEXPLAINED;
                match kept.last_mut().filter(|_| is_enough) {
                    Some(last) => last.spans += one.spans,
                    None => kept.push(one),
                }
            }
        }
        self.share_of_memory().await >= NEARLY_FULL
    }

    /// The share of the sink's memory that is taken, from 0 to 1. In a lab that runs already only the traces of
    /// this run count: the sink evicts the older ones first.
    async fn share_of_memory(&self) -> f64 {
        match (&self.kind, self.store()) {
            (Kind::RunningLab(lab), _) => {
                let spans = self.traces.lock().await.spans();
                lab.share_of_memory(spans).await
            }
            (_, Some(store)) => {
                let bytes = store.stats().bytes;
                bytes.stored as f64 / bytes.limit.max(1) as f64
            }
            (_, None) => 0.0,
        }
    }

    /// Whether the sink evicted this trace.
    pub(super) fn was_evicted(&self, id: TraceId) -> bool {
        match (&self.kind, self.store()) {
            (Kind::RunningLab(lab), _) => lab.was_evicted(id),
            (_, store) => store.is_some_and(|store| store.was_evicted(id)),
        }
    }
}
