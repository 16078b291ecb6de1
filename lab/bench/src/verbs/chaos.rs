//! `bench chaos`: the SUT or the receiving end is killed or stopped in the middle of a load.

use std::time::Duration;

use super::{Bench, BenchError, INTERVAL, at};
use crate::{
    arm::{Disturbance, Harm, Plan},
    document::{Chaos, Document},
};

/// What `bench chaos` does.
#[derive(Clone, Debug)]
pub struct ChaosPlan {
    /// Spans a second.
    pub rate: f64,
    /// For how long.
    pub time: Duration,
    /// For how long before, uncounted.
    pub warm_up: Duration,
    /// What happens.
    pub harm: Harm,
    /// How long it lasts.
    pub pause: Duration,
}

// === impl Harm ===

impl Harm {
    /// Its name on the command line and in the document.
    pub fn name(self) -> &'static str {
        match self {
            Harm::KillSut => "kill-sut",
            Harm::PauseSut => "pause-sut",
            Harm::KillSink => "kill-sink",
            Harm::PauseSink => "pause-sink",
        }
    }
}

/// Loads the SUT, and disturbs it after a third of the time.
///
/// # Errors
///
/// When something does not start, or not again, or the machine cannot make the rate.
pub async fn chaos(bench: &Bench<'_>, plan: &ChaosPlan) -> Result<Document, BenchError> {
    let mut document = bench.document("chaos", Some(plan.rate), plan.time);
    bench.calibrate(&mut document).await?;
    bench.check_rate(plan.rate, &document.environment)?;
    let warm_up = (!plan.warm_up.is_zero()).then(|| at(plan.rate, plan.warm_up));
    let mut arm = bench.warm(&bench.sut, warm_up).await?;
    document.workload.bytes_per_span = arm.bytes_per_span();
    let load = Plan {
        label: plan.harm.name().to_owned(),
        pace: at(plan.rate, plan.time),
        policy: None,
        disturbance: Some(Disturbance {
            what: plan.harm,
            at: plan.time / 3,
            pause: plan.pause,
        }),
        interval: INTERVAL,
    };
    let loaded = bench.load(&mut arm, &load).await?;
    arm.stop().await;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    match loaded.disturbed {
        Some((began, ended, first_after)) => {
            document.chaos = Some(Chaos {
                what: plan.harm.name().to_owned(),
                at_ms: ms(began),
                back_ms: ms(ended),
                first_after_ms: first_after.map(ms),
            });
        }
        None => document
            .invalid_because
            .push("the load ended before anything happened to it".to_owned()),
    }
    document.runs.push(loaded.run);
    bench.finish(&mut document, &[0]);
    Ok(document)
}
