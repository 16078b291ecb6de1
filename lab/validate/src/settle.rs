//! Waits until traces can be read, and says what of them came back. The content of a trace decides that it is over, never
//! the time alone: a trace that is as it was sent is over at once, one with the losses of its profile when two reads
//! agree, one with others when it did not change for a while. One that lacks spans is waited for until the patience ends.

use std::{collections::BTreeSet, time::Duration};

use backends::{Difference, Field, How, Loss, Reader, compare, exact_bytes};
use futures::{StreamExt as _, stream};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use trace::{Span, TraceId};

/// A trace that was sent and is waited for.
#[derive(Debug)]
pub(crate) struct Awaited {
    pub(crate) id: TraceId,
    pub(crate) spans: Vec<Span>,
    /// The losses that are known of it.
    pub(crate) known: BTreeSet<Loss>,
    pub(crate) sent: Instant,
    /// Whether it was sent as the bytes that a backend may keep: not as JSON.
    pub(crate) exact: bool,
}

/// What came back of a trace.
#[derive(Debug)]
pub(crate) struct CameBack {
    pub(crate) differences: Vec<Difference>,
    /// From the end of sending to the first read that had all that ever came.
    pub(crate) after: Duration,
    /// What the reader says besides.
    pub(crate) notes: Vec<String>,
}

/// How traces are waited for.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) patience: Duration,
    pub(crate) stop: CancellationToken,
}

/// How many traces are read at once.
const CONCURRENT: usize = 8;

/// The time for which a trace with known losses must not change.
const SHORT_REST: Duration = Duration::from_millis(300);

/// The time for which a trace with unknown losses must not change.
const REST: Duration = Duration::from_millis(1_500);

/// The first and the longest pause between two rounds of reading.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A trace that is not over.
struct Open {
    place: usize,
    awaited: Awaited,
    last: Vec<Difference>,
    notes: Vec<String>,
    /// When what was read last was read first.
    since: Option<Instant>,
}

/// Reads the traces until each is over; the results are in their order. `over` is told of each, as it happens.
pub(crate) async fn settle(
    reader: &dyn Reader,
    awaited: Vec<Awaited>,
    waiting: &Waiting,
    mut over: impl FnMut(),
) -> Vec<CameBack> {
    let mut results: Vec<Option<CameBack>> = awaited.iter().map(|_| None).collect();
    let mut open: Vec<Open> = awaited
        .into_iter()
        .enumerate()
        .map(|(place, awaited)| Open {
            place,
            awaited,
            last: Vec::new(),
            notes: Vec::new(),
            since: None,
        })
        .collect();
    let mut pause = FIRST_PAUSE;
    while !open.is_empty() {
        let ids: Vec<(usize, TraceId)> =
            open.iter().map(|one| one.awaited.id).enumerate().collect();
        let mut reads: Vec<(usize, Read)> = stream::iter(ids)
            .map(|(at, id)| async move { (at, read(reader, id).await) })
            .buffer_unordered(CONCURRENT)
            .collect()
            .await;
        reads.sort_by_key(|(at, _)| *at);
        let mut later = None;
        let (mut left, mut any_over) = (Vec::new(), false);
        for (mut one, (_, read)) in open.into_iter().zip(reads) {
            later = later.max(read.later);
            one.take(read);
            match one.is_over(waiting) {
                true => {
                    over();
                    any_over = true;
                    let place = one.place;
                    results[place] = Some(one.end());
                }
                false => left.push(one),
            }
        }
        open = left;
        pause = match any_over {
            true => FIRST_PAUSE,
            false => (2 * pause).min(LONGEST_PAUSE),
        };
        if !open.is_empty() {
            tokio::select! {
                () = sleep(later.unwrap_or(pause)) => {}
                () = waiting.stop.cancelled() => {}
            }
        }
    }
    results
        .into_iter()
        .map(|result| result.expect("each ends"))
        .collect()
}

/// What one read gave.
struct Read {
    found: Result<Option<backends::ReadTrace>, String>,
    /// The wait that the backend asks for.
    later: Option<Duration>,
}

async fn read(reader: &dyn Reader, id: TraceId) -> Read {
    match reader.trace(id).await {
        Ok(found) => Read {
            found: Ok(found),
            later: None,
        },
        Err(error) => Read {
            later: error.retry_after(),
            found: Err(error.to_string()),
        },
    }
}

// === impl Open ===

impl Open {
    fn take(&mut self, read: Read) {
        let mut notes = Vec::new();
        let mut differences = match read.found {
            Ok(Some(found)) => {
                let mut differences = compare(&self.awaited.spans, &found.spans);
                if let (true, true, Some(bytes)) =
                    (self.awaited.exact, differences.is_empty(), &found.protobuf)
                {
                    differences = exact_bytes(&self.awaited.spans, bytes);
                }
                notes = found.notes;
                if found.is_partial {
                    notes.push("the backend says that this is not all of the trace".to_owned());
                }
                differences
            }
            Ok(None) => vec![Difference::of(
                Loss::new(Field::Trace, How::Missing),
                format!("{} spans", self.awaited.spans.len()),
                String::new(),
            )],
            Err(why) => vec![Difference::of(
                Loss::new(Field::Trace, How::Unreadable),
                String::new(),
                why,
            )],
        };
        differences.sort_by(|a, b| (a.loss, &a.span, &a.place).cmp(&(b.loss, &b.span, &b.place)));
        if self.since.is_none() || differences != self.last {
            self.since = Some(Instant::now());
            self.last = differences;
        }
        self.notes = notes;
    }

    fn is_over(&self, waiting: &Waiting) -> bool {
        let unchanged = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        let losses: BTreeSet<Loss> = self.last.iter().map(|difference| difference.loss).collect();
        let may_still_come = losses.iter().any(|loss| {
            matches!(
                (loss.field, loss.how),
                (Field::Trace, _) | (Field::Span, How::Missing)
            )
        });
        self.last.is_empty()
            || (losses == self.awaited.known && unchanged >= SHORT_REST)
            || (!may_still_come && unchanged >= REST)
            || self.awaited.sent.elapsed() >= waiting.patience
            || waiting.stop.is_cancelled()
    }

    fn end(self) -> CameBack {
        let since = self.since.unwrap_or_else(Instant::now);
        CameBack {
            differences: self.last,
            after: since.duration_since(self.awaited.sent),
            notes: self.notes,
        }
    }
}
