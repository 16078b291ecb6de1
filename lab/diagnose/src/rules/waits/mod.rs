//! Waits for a lock or for a connection: recognized by spans of the wait, and by handovers without such
//! spans.
//!
//! A wait without a span is a gap before a span. Other spans show the cause of the gap: a span of the same
//! kind, in this trace or another, was at work during the whole gap, and the waiting span started at the
//! moment when the other ended. Once this may be chance; repeatedly it is a queue. If never more than one
//! span is at work, it is a lock; if there are up to *n*, and always *n* during a gap, it is a pool of *n*.

mod handovers;
mod shown;
mod statements;

pub(super) use self::{handovers::inferred, shown::shown, statements::inside_statements};

use crate::{
    facts::{run::RunFacts, view::View},
    thresholds::{OURS, Threshold},
};

/// The limits of every kind of wait.
pub(super) const LIMITS: &[Threshold] = &[
    Threshold::time("how long is waited", |limits| limits.wait_ns, OURS),
    Threshold::share(
        "the share of the parent that is waited",
        |limits| limits.wait_share,
        OURS,
    ),
    Threshold::time(
        "from the end of another's turn to one's own, at most",
        |limits| limits.handover_ns,
        OURS,
    ),
    Threshold::count("handovers in a run", |limits| limits.handovers, OURS),
];

/// Whether a span is long enough to be reported as a wait.
fn is_long(view: &View<'_>, run: &RunFacts<'_>, place: usize) -> bool {
    let ns = view.ns(place);
    let parent = view
        .trace
        .parent(place)
        .map_or(ns, |parent| view.ns(parent));
    ns >= run.limits.wait_ns && ns as f64 >= run.limits.wait_share * parent as f64
}

/// The end of a span's last work: the time after it is the way back.
fn last_work(view: &View<'_>, place: usize) -> u64 {
    let ends = view
        .trace
        .children(place)
        .iter()
        .map(|&child| view.span(child).end_ns);
    ends.max()
        .unwrap_or(view.span(place).end_ns)
        .min(view.span(place).end_ns)
}

/// The longest time between the end of one span and the start of the waiting one: after a long wait a thread
/// is woken late.
fn slack(run: &RunFacts<'_>, waited: u64) -> u64 {
    let least = run.limits.handover_ns;
    least.max((waited / 20).min(5 * least))
}
