//! When the trace of a request is settled. The content of a trace decides that, never the time alone.
//!
//! A trace of the faulty phase is settled when everything that its scenario expects of it is there and the
//! trace did not change between two reads; all services are flushed before each read. A trace of a silent
//! phase has no expectation. It is settled when it is whole (no parent is missing, every message that was
//! sent was processed) and did not change for a while. A trace that does not settle is judged in the state
//! that it has at the end of the patience. With a Collector in between, each of these times grows by the time
//! for which the set-up of the Collector may hold spans back.

use std::time::Duration;

use expect::{Observed, Verdict};
use loadgen::Line;
use scenario::Expectation;
use tokio::time::Instant;
use trace::is_whole;

use crate::traces::Found;

/// The shortest time between two reads that show that a trace does not change.
const APART: Duration = Duration::from_millis(50);

/// The time for which a whole trace without an expectation must not change.
const REST: Duration = Duration::from_millis(400);

/// The same time for a trace that is not whole: it may never become whole.
pub(crate) const LONG_REST: Duration = Duration::from_secs(2);

/// A request whose trace is waited for.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) line: Line,
    /// The place of the request in the ledger.
    pub(crate) place: u64,
    change: u64,
    unchanged_since: Instant,
    /// Whether the trace fulfils its expectation in its present state.
    holds: Option<bool>,
    /// The instant from which the run stops waiting for a trace that has not arrived; `None` if the trace
    /// must arrive.
    missing_from: Option<Instant>,
}

/// What a trace is settled by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SettleRules<'a> {
    /// What the trace of a request that is judged is expected to have.
    pub(crate) expected: Option<&'a Expectation>,
    /// The longest time between a flush and the arrival of its spans.
    pub(crate) delay: Duration,
    /// The time after which an unchanged trace is judged as it is.
    pub(crate) patience: Duration,
    /// Whether the load is over. While it runs, a message may wait to be sent: a trace that looks whole may not be.
    pub(crate) is_over: bool,
}

// === impl Waiting ===

impl Waiting {
    /// Begins to wait for the trace of a request.
    pub(crate) fn new(line: Line, place: u64, missing_from: Option<Instant>) -> Waiting {
        Waiting {
            line,
            place,
            change: 0,
            unchanged_since: Instant::now(),
            holds: None,
            missing_from,
        }
    }

    /// Whether the trace, as it was found now, is settled.
    pub(crate) fn is_settled(&mut self, found: &Found, rules: SettleRules<'_>) -> bool {
        let SettleRules {
            expected,
            delay,
            patience,
            is_over,
        } = rules;
        let Some(trace) = &found.trace else {
            return self.missing_from.is_some_and(|from| Instant::now() >= from)
                || self.unchanged_since.elapsed() >= patience;
        };
        if found.change != self.change {
            self.change = found.change;
            self.unchanged_since = Instant::now();
            self.holds = None;
            return false;
        }
        let at_rest = self.unchanged_since.elapsed();
        if at_rest >= patience {
            return true;
        }
        // Batches of several services may arrive one after the other.
        let quiet = 2 * delay;
        match expected.filter(|_| self.line.step.counts()) {
            Some(expected) => {
                at_rest >= APART + quiet
                    && *self.holds.get_or_insert_with(|| {
                        let observed = Observed {
                            trace,
                            related: &found.related,
                            arrival: found.arrival,
                            twin: None,
                        };
                        expect::check_with(expected, observed).verdict != Verdict::Fail
                    })
            }
            None => {
                let whole = || {
                    let all = std::iter::once(&**trace).chain(&found.related);
                    is_whole(all)
                };
                let is_soon = is_over || !self.line.step.counts();
                at_rest >= LONG_REST + quiet || (is_soon && at_rest >= REST + quiet && whole())
            }
        }
    }
}
