//! `bench sampling`: whether a sampler keeps what it ought to keep.

use std::time::Duration;

use firehose::Policy;

use super::{Bench, BenchError, INTERVAL, at};
use crate::{
    arm::Plan,
    document::{Document, Sampling, SamplingGroup},
    statistics,
};

/// What `bench sampling` does.
#[derive(Clone, Debug)]
pub struct SamplingPlan {
    /// Spans a second.
    pub rate: f64,
    /// For how long.
    pub time: Duration,
    /// What must be kept.
    pub policy: Policy,
    /// The share of the rest that ought to be kept.
    pub share: f64,
}

/// The confidence with which a share must agree.
const CONFIDENCE: f64 = 0.999;

/// Loads a sampler, and compares what it has kept with what it ought to keep.
///
/// # Errors
///
/// When something does not start, or the machine cannot make the rate.
pub async fn sampling(bench: &Bench<'_>, plan: &SamplingPlan) -> Result<Document, BenchError> {
    let mut document = bench.document("sampling", Some(plan.rate), plan.time);
    bench.calibrate(&mut document).await?;
    bench.check_rate(plan.rate, &document.environment)?;
    // What is decided on in a warm-up would still come.
    let mut arm = bench.warm(&bench.sut, None).await?;
    document.workload.bytes_per_span = arm.bytes_per_span();
    let load = Plan {
        label: format!("{:.0}/s", plan.rate),
        pace: at(plan.rate, plan.time),
        policy: Some(plan.policy),
        disturbance: None,
        interval: INTERVAL,
    };
    let loaded = bench.load(&mut arm, &load).await?;
    arm.stop().await;
    let names = ["the rest", "errors", "slow", "errors and slow"];
    let mut groups = Vec::new();
    for (number, (name, group)) in names.into_iter().zip(loaded.accounts.groups).enumerate() {
        let must_be_kept = number & 1 != 0 && plan.policy.keeps_errors
            || number & 2 != 0 && plan.policy.keeps_slow;
        let wanted_share = if must_be_kept { 1.0 } else { plan.share };
        let holds = match must_be_kept {
            true => group.whole == group.traces,
            false => {
                let (low, high) =
                    statistics::binomial_interval(group.whole, group.traces, CONFIDENCE);
                group.traces == 0 || (low..=high).contains(&plan.share)
            }
        };
        if group.traces > 0 {
            groups.push(SamplingGroup {
                group: name.to_owned(),
                traces: group.traces,
                kept: group.whole,
                wanted_share,
                holds,
            });
        }
    }
    let kept = match (plan.policy.keeps_errors, plan.policy.keeps_slow) {
        (true, true) => "all errors, all slow traces, and ",
        (true, false) => "all errors, and ",
        (false, true) => "all slow traces, and ",
        (false, false) => "",
    };
    document.sampling = Some(Sampling {
        policy: format!("{kept}{} % of the rest", plan.share * 100.0),
        groups,
        broken: loaded
            .accounts
            .groups
            .iter()
            .map(|group| group.broken)
            .sum(),
    });
    document.runs.push(loaded.run);
    bench.finish(&mut document, &[0]);
    Ok(document)
}
