//! `bench spike`: a burst, and the time until all is as before.

use std::time::Duration;

use firehose::{Pace, Stage};

use super::{Bench, BenchError, INTERVAL, at};
use crate::{
    arm::Plan,
    document::{Document, Sample, Spike},
};

/// What `bench spike` does.
#[derive(Clone, Debug)]
pub struct SpikePlan {
    /// Spans a second before and after.
    pub rate: f64,
    /// How many times as much in the burst.
    pub factor: f64,
    /// How long before the burst.
    pub before: Duration,
    /// How long the burst is.
    pub burst: Duration,
    /// How long after it.
    pub after: Duration,
    /// For how long before, uncounted.
    pub warm_up: Duration,
}

/// Loads the SUT with a burst in the middle.
///
/// # Errors
///
/// When something does not start, or the machine cannot make the rate.
pub async fn spike(bench: &Bench<'_>, plan: &SpikePlan) -> Result<Document, BenchError> {
    let time = plan.before + plan.burst + plan.after;
    let burst_rate = plan.rate * plan.factor;
    let mut document = bench.document("spike", Some(plan.rate), time);
    bench.calibrate(&mut document).await?;
    bench.check_rate(burst_rate, &document.environment)?;
    let warm_up = (!plan.warm_up.is_zero()).then(|| at(plan.rate, plan.warm_up));
    let mut arm = bench.warm(&bench.sut, warm_up).await?;
    document.workload.bytes_per_span = arm.bytes_per_span();
    let stage = |rate, time| Stage { rate, time };
    let load = Plan {
        label: format!("{:.0}/s and {burst_rate:.0}/s", plan.rate),
        pace: Pace::Stages(vec![
            stage(plan.rate, plan.before),
            stage(burst_rate, plan.burst),
            stage(plan.rate, plan.after),
        ]),
        policy: None,
        disturbance: None,
        interval: INTERVAL,
    };
    let loaded = bench.load(&mut arm, &load).await?;
    arm.stop().await;
    let began_ms = plan.before.as_secs_f64() * 1e3;
    let ended_ms = began_ms + plan.burst.as_secs_f64() * 1e3;
    let p99_before_ms = usual(&loaded.run.series, began_ms);
    document.spike = Some(Spike {
        base_rate: plan.rate,
        burst_rate,
        began_ms,
        ended_ms,
        p99_before_ms,
        recovered_ms: recovered(&loaded.run.series, ended_ms, p99_before_ms),
    });
    document.runs.push(loaded.run);
    bench.finish(&mut document, &[0]);
    Ok(document)
}

/// The median of the p99 of the intervals before an instant.
fn usual(series: &[Sample], until_ms: f64) -> f64 {
    let before = series.iter().filter(|sample| sample.at_ms <= until_ms);
    let mut p99: Vec<f64> = before.filter_map(|sample| sample.p99_ms).collect();
    p99.sort_by(f64::total_cmp);
    p99.get(p99.len() / 2).copied().unwrap_or(0.0)
}

/// How long after the burst an interval began from which on all had at most twice the usual p99.
fn recovered(series: &[Sample], ended_ms: f64, usual_ms: f64) -> Option<f64> {
    let after: Vec<(f64, f64)> = series
        .iter()
        .filter(|sample| sample.at_ms > ended_ms)
        .filter_map(|sample| Some((sample.at_ms, sample.p99_ms?)))
        .collect();
    // Times of a millisecond vary by more than their double.
    let most = (2.0 * usual_ms).max(usual_ms + 5.0);
    let last_slow = after.iter().rposition(|(_, p99)| *p99 > most);
    let first_good = last_slow.map_or(0, |slow| slow + 1);
    after.get(first_good).map(|(at, _)| at - ended_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_recovered_when_all_later_intervals_are_as_usual() {
        let sample = |at_ms, p99| Sample {
            at_ms,
            p99_ms: Some(p99),
            ..Sample::default()
        };
        let series = [
            sample(250.0, 20.0),
            sample(500.0, 22.0),
            sample(750.0, 400.0),
            sample(1000.0, 30.0),
            sample(1250.0, 90.0),
            sample(1500.0, 35.0),
            sample(1750.0, 21.0),
        ];
        let usual = usual(&series, 500.0);
        assert_eq!(usual, 22.0);
        assert_eq!(recovered(&series, 750.0, usual), Some(750.0));
        assert_eq!(recovered(&series[..5], 750.0, usual), None);
    }
}
