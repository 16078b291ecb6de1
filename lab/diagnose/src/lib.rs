//! Diagnoses traces: where the time went, and what went wrong, with evidence.
//!
//! The input is traces, the result an explanation: the critical path, the walk from the root to the span
//! where the time is really spent, the story of an error, and [findings](Finding), each with the spans that
//! show it, its cost and its remedy.
//!
//! The rules read the data of any instrumented program: names, kinds, times, status, and attributes of the
//! OpenTelemetry semantic conventions (current and older names). They must not know the shop, its faults, or
//! any name that begins with `lab.`.
//!
//! ```
//! use diagnose::{THRESHOLDS, diagnose};
//! use testing::traces::{SpanExt, TraceBuilder};
//! use trace::Kind::{Client, Server};
//!
//! let mut orders = TraceBuilder::new(1);
//! orders.span((1, 0), "shop", Server, "GET /orders", (0.0, 110.0));
//! for number in 0..10 {
//!     let from = 10.0 * number as f64;
//!     orders
//!         .span((2 + number, 1), "shop", Client, "SELECT items", (from, from + 9.0))
//!         .query(&format!("SELECT * FROM items WHERE order_id = {number}"));
//! }
//! let traces = [orders.build()];
//! let diagnoses = diagnose(&traces, &[], &THRESHOLDS);
//! let findings = &diagnoses[0].findings;
//! assert_eq!(findings.len(), 1);
//! assert_eq!(findings[0].rule.name, "n-plus-one");
//! ```

#![warn(clippy::missing_errors_doc)]

pub mod compare;
pub mod evaluate;
mod facts;
mod finding;
mod format;
mod hash;
mod parallel;
mod parts;
pub mod report;
mod rules;
mod strip;
mod suppression;
mod thresholds;

pub use facts::{
    story::{Chapter, Story},
    walk::{Step, Walk},
};
pub use finding::{Explains, Finding, Rule, Severity};
pub use format::plural;
pub use parts::{Source, Summary, diagnose_in_parts};
pub use rules::{catalogue, rule};
pub use strip::strip_lab_attributes;
pub use thresholds::{Amount, THRESHOLDS, Threshold, Thresholds};

use std::borrow::{Borrow, Cow};

use trace::{CriticalPath, Trace};

use crate::facts::{
    known::Known, peers::Peers, run::RunFacts, story::story, view::View, walk::walk,
};

/// The diagnosis of one trace.
#[derive(Clone, Debug)]
pub struct Diagnosis<'t> {
    /// The trace, without repeated spans.
    pub trace: Cow<'t, Trace>,
    /// The critical paths: the first belongs to the earliest root, then come those of other tops, then one
    /// for each part that was reached through a message. The places are those of `trace`.
    pub paths: Vec<CriticalPath>,
    /// The critical paths of work that goes on after these have ended: nothing waited for it.
    pub after: Vec<CriticalPath>,
    /// The walk from the root to the span where the time is spent.
    pub walk: Walk,
    /// The findings, the most severe first.
    pub findings: Vec<Finding>,
    /// The story of the error, if a request failed.
    pub story: Option<Story>,
    /// The missing parts of the trace, which limit the diagnosis.
    pub missing: Vec<String>,
}

/// Diagnoses the traces of a run, in their order. `beside` are traces of the same system that are not
/// diagnosed: they show which peers have spans.
pub fn diagnose<'t, T: Borrow<Trace> + Sync>(
    traces: &'t [T],
    beside: &[T],
    thresholds: &Thresholds,
) -> Vec<Diagnosis<'t>> {
    diagnose_with(traces, beside, None, thresholds)
}

/// Diagnoses like [`diagnose`] traces that are a part of more, of which the rules know this.
fn diagnose_with<'t, T: Borrow<Trace> + Sync>(
    traces: &'t [T],
    beside: &[T],
    known: Option<&Known>,
    thresholds: &Thresholds,
) -> Vec<Diagnosis<'t>> {
    let many = parallel::have_many_spans(traces);
    let beside: Vec<&Trace> = beside.iter().map(Borrow::borrow).collect();
    let mut peers = Peers::default();
    beside.iter().for_each(|trace| peers.learn(trace));
    if let Some(known) = known {
        peers.add(known.peers.clone());
    }
    // First the rules for one trace, while it is in the cache: the traces of a run do not fit there.
    let chunks = parallel::in_chunks(many, traces, |traces| {
        let mut peers = Peers::default();
        let each = traces.iter().map(|trace| {
            let view = View::new(trace.borrow());
            peers.learn(&view.trace);
            let found = rules::detect_in_trace(&view, thresholds);
            (walk(&view), story(&view), found, view)
        });
        let each: Vec<_> = each.collect();
        (peers, each)
    });
    let (mut views, mut told) = (Vec::new(), Vec::new());
    for (learned, each) in chunks {
        peers.add(learned);
        for (walk, story, found, view) in each {
            views.push(view);
            told.push((walk, story, found));
        }
    }
    // Then the rules for all traces together.
    let run = RunFacts::new(&views, &beside, (peers, known), thresholds);
    let by_trace = rules::detect_in_run(&run, many);
    let all: Vec<_> = views.into_iter().zip(told).zip(by_trace).collect();
    parallel::map(many, all, |((view, (walk, story, mut found)), of_run)| {
        found.extend(of_run);
        rules::bound(&mut found);
        Diagnosis {
            walk,
            story,
            findings: suppression::without_weaker(&view, found),
            missing: view.missing(),
            paths: view.paths,
            after: view.after,
            trace: view.trace,
        }
    })
}
