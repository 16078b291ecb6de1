//! `bench capacity`: the highest rate that holds the limits.

use std::time::Duration;

use super::{Bench, BenchError, INTERVAL, MOST_OF_CALIBRATED, at};
use crate::{
    arm::Plan,
    document::{Capacity, CapacityStep, Document},
    require::Requirement,
    search::{Bounds, highest},
};

/// What `bench capacity` does.
#[derive(Clone, Debug)]
pub struct CapacityPlan {
    /// What must hold.
    pub limits: Vec<Requirement>,
    /// The first rate, spans a second.
    pub start: f64,
    /// How finely is searched, as a share.
    pub precision: f64,
    /// How often the result must hold.
    pub confirmations: u32,
    /// How long each step lasts.
    pub time: Duration,
    /// For how long before the first one, uncounted.
    pub warm_up: Duration,
}

/// No lower rate is tried.
const LOWEST: f64 = 100.0;
/// Without a calibration no higher rate is tried: more than a machine can make.
const HIGHEST: f64 = 2e7;

/// Searches the highest rate that holds the limits.
///
/// # Errors
///
/// When something does not start.
pub async fn capacity(bench: &Bench<'_>, plan: &CapacityPlan) -> Result<Document, BenchError> {
    let mut document = bench.document("capacity", None, plan.time);
    bench.check_cores(&mut document);
    bench.calibrate(&mut document).await?;
    let able = document.environment.calibrated_spans_per_second;
    let bounds = Bounds {
        start: plan.start,
        lowest: LOWEST,
        highest: able.map_or(HIGHEST, |able| able * MOST_OF_CALIBRATED),
        precision: plan.precision,
        confirmations: plan.confirmations,
    };
    let warm_up =
        (!plan.warm_up.is_zero()).then(|| at(plan.start.min(bounds.highest), plan.warm_up));
    let mut arm = bench.warm(&bench.sut, warm_up).await?;
    document.workload.bytes_per_span = arm.bytes_per_span();
    let mut steps: Vec<CapacityStep> = Vec::new();
    let mut runs = Vec::new();
    let found = highest(bounds, async |rate| {
        let load = Plan {
            label: format!("{rate:.0}/s"),
            pace: at(rate, plan.time),
            policy: None,
            disturbance: None,
            interval: INTERVAL,
        };
        let loaded = bench.load(&mut arm, &load).await?;
        let broken: Vec<String> = plan
            .limits
            .iter()
            .filter(|limit| !limit.holds(&loaded.run))
            .map(|limit| format!("{limit}: {}", limit.measured(&loaded.run)))
            .collect();
        // A load that was not made as planned does not hold; why is in its run.
        let holds = broken.is_empty() && loaded.run.valid && !loaded.is_stopped;
        let why = match (broken.is_empty(), loaded.run.invalid_because.first()) {
            (false, _) => broken.join(", "),
            (true, Some(reason)) => reason.clone(),
            (true, None) => String::new(),
        };
        (bench.say)(&match holds {
            true => format!("{rate:.0} spans/s hold"),
            false => format!("{rate:.0} spans/s do not hold: {why}"),
        });
        steps.push(CapacityStep {
            rate,
            holds,
            why,
            run: runs.len(),
        });
        let is_over = bench.stop.is_cancelled();
        runs.push(loaded.run);
        match is_over {
            true => Err(Stopped::Asked),
            false => Ok(holds),
        }
    })
    .await;
    arm.stop().await;
    document.runs = runs;
    let found = match found {
        Ok(found) => Some(found),
        Err(Stopped::Asked) => None,
        Err(Stopped::Failed(error)) => return Err(error),
    };
    document.capacity = Some(Capacity {
        limits: plan.limits.iter().map(ToString::to_string).collect(),
        spans_per_second: found.and_then(|found| found.holds),
        fails_at: found.and_then(|found| found.fails),
        confirmed: found.map_or((0, 0), |found| found.confirmed),
        confidence: found.map_or_else(String::new, |found| found.confidence()),
        steps,
    });
    // Steps above the capacity are there to fail.
    let of_result = document.capacity.as_ref().and_then(|capacity| {
        let rate = capacity.spans_per_second?;
        let steps = capacity.steps.iter().filter(|step| step.rate == rate);
        steps.map(|step| step.run).next_back()
    });
    let runs = std::mem::take(&mut document.runs);
    bench.finish(&mut document, &[]);
    document.runs = runs;
    let judged = of_result.and_then(|number| document.runs.get(number).cloned());
    if let Some(run) = judged {
        for requirement in &bench.requirements {
            let mut checked = requirement.check(&run);
            checked.measured.push_str(" at the capacity");
            document.requirements.push(checked);
        }
    }
    Ok(document)
}

/// Why a search ended early.
enum Stopped {
    Asked,
    Failed(BenchError),
}

impl From<BenchError> for Stopped {
    fn from(error: BenchError) -> Stopped {
        Stopped::Failed(error)
    }
}
