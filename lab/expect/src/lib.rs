//! Matches a trace against expectations and explains the difference.
//!
//! [`check`] compares the whole trace with the expectation of a scenario, and returns a [`Report`]: a
//! verdict, and the smallest difference between the two. [`settled`] says whether a trace is complete enough
//! to be checked. This crate must not know where a trace was read from or how a scenario file is written.
//!
//! There are three verdicts. A part that cannot be evaluated, because the sender of a span reports that it
//! dropped attributes, events or links, is *unsupported* and never passes.
//!
//! How the difference is found: the children of a span are matched as a set. Each pair of an expected node
//! and a span costs the differences between them, including their subtrees; a node without a span costs the
//! weight of the node and its subtree; a forbidden span costs a little more than any node that it fits. The
//! cheapest matching is found exactly, as an assignment problem ([Kuhn 1955], solved as a minimum-cost flow),
//! and the report shows its costs as differences.
//!
//! [Kuhn 1955]: https://doi.org/10.1002/nav.3800020109
//!
//! ```
//! use expect::{Verdict, check};
//! use trace::Trace;
//!
//! let text = "
//! name: one-order
//! title: One order
//! load: { requests: 1, users: 1 }
//! expect:
//!   trace: { roots: 1, orphans: 0 }
//!   tree:
//!     - span: { service: checkout, name: POST /checkout, kind: server }
//! ";
//! let expectation = scenario::parse("one-order.yaml", text).unwrap().expect;
//! let mut spans = testing::spans::healthy();
//! let whole = Trace::new(testing::spans::trace_id(), spans.clone());
//! assert_eq!(check(&expectation, &whole, &[]).verdict, Verdict::Pass);
//!
//! // Without its root, the next span is an orphan.
//! spans.remove(0);
//! let cut = Trace::new(testing::spans::trace_id(), spans);
//! assert_eq!(check(&expectation, &cut, &[]).verdict, Verdict::Fail);
//! ```

#![warn(clippy::missing_errors_doc)]

mod assign;
mod attributes;
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
mod text;
mod timing;
mod twin;

pub use derive::derive;
pub use report::{CountLine, Difference, Line, Mark, Report, Verdict};
pub use settle::{Settle, settled};
pub use twin::Twin;

use std::time::Duration;

use scenario::Expectation;
use trace::Trace;

/// An observed trace, with the other facts about it.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// The trace.
    pub trace: &'a Trace,
    /// The traces that are related to it by links: see [`check`].
    pub related: &'a [Trace],
    /// The delay of the latest part to arrive, from the end of that part's last span; `None` if the trace
    /// was not received here.
    pub arrival: Option<Duration>,
    /// The durations of the twin's spans, if there was a twin.
    pub twin: Option<&'a Twin>,
}

/// Checks a trace about which nothing else is known.
///
/// `related` holds the traces that are related to this one by links: a node at the top of the tree with
/// `links` may be found at the top of one of them, since a consumer may start a new trace. The counts are
/// those of `trace` alone.
pub fn check(expectation: &Expectation, trace: &Trace, related: &[Trace]) -> Report {
    let observed = Observed {
        trace,
        related,
        arrival: None,
        twin: None,
    };
    check_with(expectation, observed)
}

/// Checks a trace with all known facts about it.
pub fn check_with(expectation: &Expectation, observed: Observed<'_>) -> Report {
    let Observed { trace, related, .. } = observed;
    let forest = forest::Forest::new(trace, related).beside(observed.twin);
    let plan = plan::Plan::new(expectation);
    let matched = search::search(&plan, &forest);
    let mut tree = explain::lines(&plan, &forest, &matched);
    tree.extend(rules::lines(
        expectation,
        &observed,
        &plan,
        &forest,
        &matched,
    ));
    report::merge(&mut tree);
    Report::new(trace.id(), settle::counts(&expectation.trace, trace), tree)
}
