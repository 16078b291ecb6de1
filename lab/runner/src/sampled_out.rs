//! Decides which traces may be missing because they were sampled out.
//!
//! A service that samples says in each reply whether its trace is recorded. A Collector that samples says
//! nothing; its set-up says which traces it must keep, and which share of the others. Any other missing trace
//! is a failure, as it is without sampling.

use std::time::Duration;

use collector::Sampling;
use loadgen::Line;
use scenario::{Expectation, Node};
use trace::StatusCode;

use crate::{plan::PhasePlan, traces::Found};

/// The time that a request may spend outside of its trace. A request that took longer than the threshold by
/// more than this is slow by any clock.
const ON_THE_WAY: Duration = Duration::from_millis(250);

/// How many of the traces that may be missing were kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeptShare {
    pub(crate) kept: usize,
    pub(crate) of: usize,
}

/// Whether the trace of a request may be missing under this sampling.
pub(crate) fn may_be_missing(plan: PhasePlan<'_>, line: &Line, sampling: Option<Sampling>) -> bool {
    if line.unsampled {
        return true;
    }
    let Some(sampling) = sampling else {
        return false;
    };
    let failed = line.status.is_some_and(|status| status >= 500)
        || (line.step.counts() && plan.own.is_some_and(expects_an_error));
    let is_slow = |threshold| line.latency() >= Some(threshold + ON_THE_WAY);
    let must_come =
        (sampling.keeps_errors && failed) || sampling.keeps_slower_than.is_some_and(is_slow);
    !must_come
}

/// Whether every trace that fulfils an expectation has a span with status error.
fn expects_an_error(expectation: &Expectation) -> bool {
    fn in_node(node: &Node) -> bool {
        let is_there = node.when.is_none() && !node.elsewhere && node.times.min > 0;
        is_there && (node.status == Some(StatusCode::Error) || node.children.iter().any(in_node))
    }
    let counted = expectation
        .trace
        .errors
        .is_some_and(|errors| errors.min > 0);
    counted || expectation.tree.iter().any(in_node)
}

// === impl KeptShare ===

impl KeptShare {
    /// Counts a request whose trace may be missing.
    pub(crate) fn add(
        &mut self,
        plan: PhasePlan<'_>,
        line: &Line,
        found: &Found,
        sampling: Option<Sampling>,
    ) {
        let is_sampled = line.started.is_some() && !line.unsampled;
        if is_sampled && may_be_missing(plan, line, sampling) {
            self.of += 1;
            self.kept += usize::from(found.trace.is_some());
        }
    }
}
