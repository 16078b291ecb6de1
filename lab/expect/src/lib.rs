//! Matches a trace against expectations and explains the difference.
//!
//! [`check`] compares the whole trace with what a scenario expects of it, and answers with a
//! [`Report`]: a verdict, and the smallest difference that there is between the two. [`settled`]
//! says whether a trace is complete enough to be checked. This crate must not know where a trace
//! was read from or how a scenario file is written.
//!
//! There are three verdicts. What cannot be evaluated, because the sender of a span says that it
//! had to drop attributes, events or links, is *unsupported* and never passes.
//!
//! How the difference is found: the children of a span are matched as a set. Each pair of an
//! expected node and a span costs what differs between them, their subtrees included; a node
//! without a span costs the weight of the node and its subtree; a span that must not be there
//! costs a little more than any node that it fits. The cheapest matching is found exactly, as an
//! assignment problem ([Kuhn 1955], solved as the minimum-cost flow that it is a case of), and
//! what it costs is what the report shows.
//!
//! [Kuhn 1955]: https://doi.org/10.1002/nav.3800020109

mod assign;
mod compare;
mod derive;
mod describe;
mod explain;
mod forest;
mod matching;
mod nearest;
mod plan;
mod reference;
mod render;
mod report;
mod rules;
mod search;
mod settle;
mod table;
mod timing;
mod twin;

pub use derive::derive;
pub use report::{CountLine, Difference, Line, Mark, Report, Verdict};
pub use settle::{Settle, settled};
pub use twin::Twin;

use std::time::Duration;

use scenario::Expectation;
use trace::Trace;

/// A trace, and what else is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The trace.
    pub trace: &'a Trace,
    /// The traces that it has to do with: see [`check`].
    pub related: &'a [Trace],
    /// How late the latest part of it came, from the end of that part's last span, if it was
    /// received here.
    pub arrival: Option<Duration>,
    /// How long the spans of the twin took, if there was one.
    pub twin: Option<&'a Twin>,
}

/// Checks a trace of which nothing else is known.
///
/// `related` holds the traces that this one has to do with through links: a node of the tree's
/// top that says `links` may be found at the top of one of them, so that a consumer may have a
/// trace of its own. The counts are those of `trace` alone.
pub fn check(expectation: &Expectation, trace: &Trace, related: &[Trace]) -> Report {
    let evidence = Evidence {
        trace,
        related,
        arrival: None,
        twin: None,
    };
    check_with(expectation, evidence)
}

/// Checks a trace with all that is known of it.
pub fn check_with(expectation: &Expectation, evidence: Evidence<'_>) -> Report {
    let Evidence { trace, related, .. } = evidence;
    let forest = forest::Forest::new(trace, related).beside(evidence.twin);
    let plan = plan::Plan::new(expectation);
    let matched = search::search(&plan, &forest);
    let mut tree = explain::lines(&plan, &forest, &matched);
    tree.extend(rules::lines(
        expectation,
        &evidence,
        &plan,
        &forest,
        &matched,
    ));
    report::merge(&mut tree);
    Report::new(trace.id(), settle::counts(&expectation.trace, trace), tree)
}
