//! Checks whether too few or too many traces arrived under sampling.

use collector::Sampling;
use diagnose::plural;

use crate::{phase_traces::PhaseTraces, plan::PhasePlan, sampled_out::KeptShare};

/// The probability below which a share counts as wrong: one correct run in ten million fails.
const UNLIKELY: f64 = 1e-7;

/// What is wrong with the share of kept traces; `None` if the share is plausible.
pub(super) fn wrong_share(
    plan: PhasePlan<'_>,
    driven: &PhaseTraces,
    sampling: Option<Sampling>,
) -> Option<String> {
    let share = sampling?.share?;
    let mut any = driven.digest.share;
    for (line, found) in driven.last() {
        any.add(plan, line, found, sampling);
    }
    let KeptShare { kept, of } = any;
    // Some traces were kept because of their content, which is unknown for the missing traces. So more traces
    // than the share may be kept, but not fewer.
    (at_most(kept, of, share) < UNLIKELY).then(|| {
        format!(
            "of {} that need not be kept {kept} were, and {:.0} % should",
            plural(of, "trace"),
            share * 100.0
        )
    })
}

/// The probability that at most `k` of `n` are chosen, each with probability `p`.
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
