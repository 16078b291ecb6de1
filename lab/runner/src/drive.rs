//! Drives one phase of a scenario, and hands out its requests with their traces.

use loadgen::{Brake, Line, Recording, drive_with_brake};
use reqwest::Url;
use scenario::Target;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    environment::Environment,
    error::RunError,
    follow::{Beside, DriveSettings, Followed, Follower},
    phase_traces::PhaseTraces,
    plan::PhasePlan,
    progress::Progress,
    stalls::StallWatch,
    traces::Found,
};

/// Drives a phase, and waits until its traces are settled.
pub(crate) async fn drive<P: Fn(Progress) + Clone + Send + Sync + 'static>(
    plan: PhasePlan<'_>,
    environment: &Environment,
    terms: DriveSettings<'_>,
    beside: Beside<'_>,
    progress: &P,
) -> Result<PhaseTraces, RunError> {
    let lost_before = environment.lost_spans().await;
    let late_before = environment.late_spans();
    let arrived_before = environment.arrivals().await;
    let watch = StallWatch::start();
    let target = target(plan, environment)?;
    let load_plan = plan.plan(target, terms.seed, terms.overrides);
    let planned = load_plan.load.journeys();
    let (sender, lines) = mpsc::unbounded_channel();
    let told = {
        let (progress, name, phase) = (progress.clone(), plan.scenario.name.clone(), plan.phase);
        move |so_far: &loadgen::LoadProgress, line: &Line| {
            // The receiver is there as long as the load runs.
            let _ = sender.send(line.clone());
            if line.step.counts() {
                progress(Progress::Driving {
                    scenario: name.clone(),
                    phase,
                    requests: so_far.sent(),
                    planned,
                });
            }
        }
    };
    let recording = Recording {
        keep: false,
        journal: None,
        report: None,
    };
    let brake = Brake::default();
    let channel = (lines, brake.clone());
    let mut follower = Follower::new(plan, environment, terms, beside, progress, channel);
    let stop = terms.stop.child_token();
    let over = CancellationToken::new();
    let driving = async {
        let load = drive_with_brake(load_plan, recording, told, brake, stop.clone()).await;
        over.cancel();
        load
    };
    let following = async {
        let followed = follower.follow(&over).await;
        if followed.is_err() {
            stop.cancel();
        }
        followed
    };
    let (load, followed) = tokio::join!(driving, following);
    followed?;
    let mut load = load?;
    let stalled = watch.stalled();
    drop(watch);
    let Followed {
        digest,
        requests,
        sampling,
        waited,
    } = follower.finish().await;
    let (lines, found): (Vec<Line>, Vec<Found>) = requests.into_iter().unzip();
    load.lines = lines;
    let lost_spans = environment.lost_spans().await.saturating_sub(lost_before);
    environment.forget_late().await;
    let late_spans = environment.late_spans() - late_before;
    let brought_context =
        |(line, found): (&Line, &Found)| line.sent_span_id.is_some() && found.trace.is_none();
    let why_missing = match arrived_before {
        Some(before) if load.lines.iter().zip(&found).any(brought_context) => {
            environment.why_missing(&before).await
        }
        _ => None,
    };
    Ok(PhaseTraces {
        phase: plan.phase,
        load,
        found,
        digest,
        sampling,
        lost_spans,
        why_missing,
        stalled,
        waited,
        late_spans,
    })
}

fn target(plan: PhasePlan<'_>, environment: &Environment) -> Result<Url, RunError> {
    match &plan.scenario.target {
        Target::Url(url) => Ok(url.parse().expect("it was checked when it was read")),
        Target::Shop => environment.checkout_url().ok_or(RunError::NoShop),
    }
}
