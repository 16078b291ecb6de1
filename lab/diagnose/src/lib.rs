//! Where the time of a trace went, and what went wrong, with evidence.
//!
//! Traces go in, an explanation comes out: the critical path, the reader's walk from the root to the
//! span where the time is really spent, the story of an error, and [findings](Finding), each with the
//! spans that show it, what it costs and what would mend it.
//!
//! The rules read what any instrumented program says: names, kinds, times, status, and attributes of
//! the OpenTelemetry semantic conventions (today's names and those of the years before). They must not
//! know the shop, its faults, or anything that is called `lab.*`.

mod call;
pub mod compare;
mod counted;
pub mod evaluate;
mod explained;
mod finding;
mod hash;
mod ids;
mod peers;
pub mod report;
mod rules;
mod run;
mod search;
mod shape;
mod story;
mod strip;
mod thresholds;
mod view;
mod wait;
mod walk;

pub use counted::counted;
pub use finding::{Finding, Rule, Severity};
pub use rules::{RULES, rule};
pub use story::{Chapter, Story};
pub use strip::strip;
pub use thresholds::{THRESHOLDS, Thresholds};
pub use walk::{Step, Walk};

use std::borrow::Cow;

use trace::{CriticalPath, Trace};

use crate::{peers::Peers, run::Run, view::View};

/// What is to be said of one trace.
#[derive(Clone, Debug)]
pub struct Diagnosis<'t> {
    /// The trace, with spans that were there twice only once.
    pub trace: Cow<'t, Trace>,
    /// Its critical paths: the first of its earliest root, then those of other tops, then one of each
    /// part that was reached through a message. The places are those of `trace`.
    pub paths: Vec<CriticalPath>,
    /// From the root to where the time is spent.
    pub walk: Walk,
    /// What went wrong, worst first.
    pub findings: Vec<Finding>,
    /// How its error came about, if a request failed.
    pub story: Option<Story>,
    /// What is missing in it, so that the diagnosis goes only so far.
    pub missing: Vec<String>,
}

/// Diagnoses the traces of a run. `beside` are traces of the same system that are not diagnosed: they
/// say which peers have spans of their own.
pub fn diagnose<'t>(
    traces: &'t [Trace],
    beside: &[Trace],
    thresholds: &Thresholds,
) -> Vec<Diagnosis<'t>> {
    let mut peers = Peers::default();
    beside.iter().for_each(|trace| peers.learn(trace));
    // All that one trace tells while it is at hand: the traces of a run do not fit into a cache.
    let (mut views, mut told, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for trace in traces {
        let view = View::new(trace);
        peers.learn(&view.trace);
        told.push((walk::walk(&view), story::story(&view)));
        found.push(rules::at_a_trace(&view, thresholds));
        views.push(view);
    }
    // Then what only several of them show.
    let run = Run::new(&views, beside, peers, thresholds);
    let found = rules::at_the_run(&run, found);
    views
        .into_iter()
        .zip(told)
        .zip(found)
        .map(|((view, (walk, story)), findings)| Diagnosis {
            walk,
            story,
            findings: explained::without_weaker(&view, findings),
            missing: view.missing(),
            paths: view.paths,
            trace: view.trace,
        })
        .collect()
}
