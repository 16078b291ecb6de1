//! `bench rate`: one rate, or as fast as possible.

use std::time::Duration;

use firehose::Pace;

use super::{Bench, BenchError, INTERVAL, at};
use crate::{arm::Plan, document::Document};

/// What `bench rate` does.
#[derive(Clone, Debug)]
pub struct RatePlan {
    /// Spans a second; `None` is as fast as possible.
    pub rate: Option<f64>,
    /// For how long.
    pub time: Duration,
    /// For how long before, uncounted.
    pub warm_up: Duration,
}

/// Loads the SUT once.
///
/// # Errors
///
/// When something does not start, or the machine cannot make the rate.
pub async fn rate(bench: &Bench<'_>, plan: &RatePlan) -> Result<Document, BenchError> {
    let mut document = bench.document("rate", plan.rate, plan.time);
    bench.calibrate(&mut document).await?;
    if let Some(rate) = plan.rate {
        bench.check_rate(rate, &document.environment)?;
    }
    let pace = |time| match plan.rate {
        Some(rate) => at(rate, time),
        None => Pace::Max(time),
    };
    let warm_up = (!plan.warm_up.is_zero()).then(|| pace(plan.warm_up));
    let mut arm = bench.warm(&bench.sut, warm_up).await?;
    document.workload.bytes_per_span = arm.bytes_per_span();
    let load = Plan {
        label: match plan.rate {
            Some(rate) => format!("{rate:.0}/s"),
            None => "max".to_owned(),
        },
        pace: pace(plan.time),
        policy: None,
        disturbance: None,
        interval: INTERVAL,
    };
    let mut loaded = bench.load(&mut arm, &load).await?;
    arm.stop().await;
    bench.check_bottleneck(&mut loaded.run, &document.environment);
    document.runs.push(loaded.run);
    bench.finish(&mut document, &[0]);
    Ok(document)
}
