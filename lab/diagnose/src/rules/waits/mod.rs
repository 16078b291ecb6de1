//! Waiting for a lock or for a connection: by spans that say so, and by handovers where none does.
//!
//! Where no span shows the wait, it is a gap before a span; but the gap has a cause that other spans
//! show: one of the same kind, in this trace or another, was at work all through the gap, and the
//! waiting one began the moment that one ended. Seen once that is chance; seen again and again it is a
//! queue. If there is never more than one at work, it is a lock; if there are up to *n*, and always *n*
//! during a gap, it is a pool of *n*.

mod handovers;
mod shown;
mod statements;

pub(super) use self::{handovers::inferred, shown::shown, statements::inside_statements};

use crate::facts::{run::RunFacts, view::View};

/// Whether a span is as long as a wait must be that is worth to report.
fn is_long(view: &View<'_>, run: &RunFacts<'_>, place: usize) -> bool {
    let ns = view.ns(place);
    let parent = view
        .trace
        .parent(place)
        .map_or(ns, |parent| view.ns(parent));
    ns >= run.limits.wait_ns && ns as f64 >= run.limits.wait_share * parent as f64
}

/// When the last thing that a span did had ended: what is behind that is the way back.
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

/// By how much the end of one and the beginning of another may lie apart: who waited for long was asleep
/// for long, and is woken late.
fn slack(run: &RunFacts<'_>, waited: u64) -> u64 {
    let least = run.limits.handover_ns;
    least.max((waited / 20).min(5 * least))
}
