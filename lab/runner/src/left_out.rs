//! Which traces may be missing, and whether too many or too few are.
//!
//! A service that samples says of each reply whether its trace is recorded. A Collector that samples says
//! nothing; its set-up tells what it must keep, and what share of the rest. Whatever is missing besides is
//! a failure, as it is where nobody samples.

use std::time::Duration;

use collector::Sampling;
use diagnose::counted;
use loadgen::Line;
use scenario::{Expectation, Node};
use trace::StatusCode;

use crate::{drive::Driven, part::Part};

/// How much longer a customer may have waited than the trace lasted: what took longer than the threshold
/// by so much was slow by any clock.
const ON_THE_WAY: Duration = Duration::from_millis(250);

/// How unlikely a share must be to be wrong: a run in ten million would be blamed for nothing.
const UNLIKELY: f64 = 1e-7;

/// Whether the trace of a request may be missing where this is sampled.
pub(crate) fn may_be_missing(part: Part<'_>, line: &Line, sampling: Option<Sampling>) -> bool {
    if line.unsampled {
        return true;
    }
    let Some(sampling) = sampling else {
        return false;
    };
    let failed = line.status.is_some_and(|status| status >= 500)
        || (line.step.counts() && part.own.is_some_and(expects_an_error));
    let is_slow = |threshold| line.latency() >= Some(threshold + ON_THE_WAY);
    let must_come =
        (sampling.keeps_errors && failed) || sampling.keeps_slower_than.is_some_and(is_slow);
    !must_come
}

/// What is wrong with the share that came out, if it is wrong.
pub(crate) fn wrong_share(
    part: Part<'_>,
    driven: &Driven,
    sampling: Option<Sampling>,
) -> Option<String> {
    let share = sampling?.share?;
    let any: Vec<bool> = driven
        .load
        .lines
        .iter()
        .zip(&driven.found)
        .filter(|(line, _)| line.started.is_some() && !line.unsampled)
        .filter(|(line, _)| may_be_missing(part, line, sampling))
        .map(|(_, found)| found.trace.is_some())
        .collect();
    let kept = any.iter().filter(|kept| **kept).count();
    // Some of them were kept for what happened in them, which is not known of those that are missing: so
    // there may be more than the share, and not fewer.
    (at_most(kept, any.len(), share) < UNLIKELY).then(|| {
        format!(
            "of {} that need not be kept {kept} were, and {:.0} % should",
            counted(any.len(), "trace"),
            share * 100.0
        )
    })
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

/// The probability that of `n` at most `k` are chosen, each with probability `p`.
fn at_most(k: usize, n: usize, p: f64) -> f64 {
    if p >= 1.0 {
        return if k >= n { 1.0 } else { 0.0 };
    }
    let mut term = (n as f64 * (1.0 - p).ln()).exp();
    let mut sum = term;
    for i in 0..k.min(n) {
        term *= (n - i) as f64 / (i + 1) as f64 * p / (1.0 - p);
        sum += term;
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binomial_distribution_is_that_of_the_tables() {
        let near = |got: f64, want: f64| assert!((got - want).abs() < 1e-4, "{got} {want}");
        near(at_most(0, 10, 0.1), 0.3487);
        near(at_most(2, 10, 0.1), 0.9298);
        near(at_most(5, 10, 0.5), 0.6230);
        near(at_most(10, 10, 0.5), 1.0);
    }

    #[test]
    fn none_of_many_is_not_a_share() {
        assert!(at_most(0, 100, 0.1) > UNLIKELY, "it may happen");
        assert!(at_most(0, 200, 0.1) < UNLIKELY, "it does not");
        assert!(at_most(9, 10, 1.0) < UNLIKELY, "all are all");
    }
}
