//! `bench soak`: a rate for a long time, and what grows.

use std::time::Duration;

use super::{Bench, BenchError, at};
use crate::{
    arm::Plan,
    document::{Document, Soak},
    statistics,
};

/// What `bench soak` does.
#[derive(Clone, Debug)]
pub struct SoakPlan {
    /// Spans a second.
    pub rate: f64,
    /// For how long.
    pub time: Duration,
    /// For how long before, uncounted.
    pub warm_up: Duration,
}

/// How many samples a long load has at most.
const SAMPLES: u32 = 1_000;

/// Loads the SUT for a long time.
///
/// # Errors
///
/// When something does not start, or the machine cannot make the rate.
pub async fn soak(bench: &Bench<'_>, plan: &SoakPlan) -> Result<Document, BenchError> {
    let mut document = bench.document("soak", Some(plan.rate), plan.time);
    bench.calibrate(&mut document).await?;
    bench.check_rate(plan.rate, &document.environment)?;
    let warm_up = (!plan.warm_up.is_zero()).then(|| at(plan.rate, plan.warm_up));
    let mut arm = bench.warm(&bench.sut, warm_up).await?;
    document.workload.bytes_per_span = arm.bytes_per_span();
    let load = Plan {
        label: format!("{:.0}/s", plan.rate),
        pace: at(plan.rate, plan.time),
        policy: None,
        disturbance: None,
        // Memory is read at each of them.
        interval: (plan.time / SAMPLES).max(Duration::from_millis(500)),
    };
    let mut loaded = bench.load(&mut arm, &load).await?;
    arm.stop().await;
    let end = loaded.run.load_ms;
    let during = loaded.run.series.iter();
    let memory: Vec<(f64, f64)> = during
        .filter(|sample| sample.at_ms <= end && sample.sut_bytes > 0)
        .map(|sample| (sample.at_ms / 60_000.0, sample.sut_bytes as f64))
        .collect();
    document.soak = statistics::slope(&memory[memory.len() / 2..], 0.99).map(|slope| Soak {
        memory_bytes_per_minute: slope.per_unit,
        low: slope.low,
        high: slope.high,
        verdict: slope.verdict().to_owned(),
    });
    if document.soak.is_none() {
        let note = "it was too short to tell whether memory grows";
        loaded.run.notes.push(note.to_owned());
    }
    document.runs.push(loaded.run);
    bench.finish(&mut document, &[0]);
    Ok(document)
}
