//! Waits until traces are settled: by their content, never by time alone.
//!
//! A trace is settled when it has what the expectation's `trace:` block says and did not change
//! between two reads, all services flushed before each. One that does not come to that is judged as
//! it stands when the patience ends.

use std::{collections::HashMap, future::Future, time::Duration};

use expect::Settle;
use loadgen::{Line, Step};
use scenario::Expectation;
use sink::Store;
use tokio::time::{Instant, timeout};

use crate::judge::trace_of;

/// How long at most between two looks if nothing arrives.
const LOOK: Duration = Duration::from_millis(100);

/// Waits for the traces of all checkouts of a ledger. Answers how many are not settled.
pub(crate) async fn settle<F, Fut>(
    lines: &[Line],
    expectation: &Expectation,
    store: &Store,
    patience: Duration,
    flush: F,
    settled: impl Fn(usize),
) -> usize
where
    F: Fn() -> Fut,
    Fut: Future<Output = ()>,
{
    let mut waiting: Vec<&Line> = lines
        .iter()
        .filter(|line| line.step == Step::Checkout && line.started.is_some())
        .collect();
    let total = waiting.len();
    let mut before: HashMap<&str, usize> = HashMap::new();
    let deadline = Instant::now() + patience;
    loop {
        let mut arrivals = store.changes();
        flush().await;
        waiting.retain(|line| {
            let Some(trace) = trace_of(line, store) else {
                return true;
            };
            let spans = trace.spans().len();
            let unchanged = before.insert(line.request_id.as_str(), spans) == Some(spans);
            !(unchanged && expect::settled(expectation, &trace) == Settle::Ready)
        });
        settled(total - waiting.len());
        if waiting.is_empty() || Instant::now() >= deadline {
            return waiting.len();
        }
        // Whichever comes first: something arrived, or it is time for the second read.
        let _ = timeout(LOOK, arrivals.changed()).await;
    }
}
