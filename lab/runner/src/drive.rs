//! Drives one phase of a scenario, and waits until its traces are settled: by their content, never
//! by time alone.
//!
//! A trace of the faulty phase is settled when all that its scenario expects of it is there and it did
//! not change between two reads, all services flushed before each. A trace of a silent phase, of which
//! nothing is expected, is settled when it is whole (no parent is missing, every message that was sent
//! was processed) and has been at rest for a while. One that does not come to that is judged as it
//! stands when the patience ends. Where a Collector is in between, all of it is given the time that the
//! Collector may hold spans back, as its set-up says.

use std::time::Duration;

use collector::CollectorEffect;
use expect::{Observed, Verdict};
use loadgen::{Line, LoadReport, Recording, UnixNanos};
use reqwest::Url;
use scenario::{Expectation, Target};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use trace::is_whole;

use crate::{
    environment::Environment,
    error::RunError,
    phase::Phase,
    plan::{Overrides, PhasePlan},
    progress::Progress,
    sampled_out::may_be_missing,
    stalls::StallWatch,
    traces::Found,
};

/// How far apart two reads must be at least between which nothing changed.
const APART: Duration = Duration::from_millis(50);

/// How long a trace of which nothing is expected must have been at rest if it is whole.
const REST: Duration = Duration::from_millis(400);

/// How long if it is not: perhaps it never will be.
const LONG_REST: Duration = Duration::from_secs(2);

/// What a phase of a scenario came to, before it is judged.
#[derive(Debug)]
pub(crate) struct PhaseTraces {
    pub(crate) phase: Phase,
    pub(crate) load: LoadReport,
    /// What is known of the trace of each line, in their order.
    pub(crate) found: Vec<Found>,
    pub(crate) lost_spans: u64,
    /// In which share of the time the machine stood still, if that is much.
    pub(crate) stalled: Option<f64>,
}

/// How a phase is driven.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DriveSettings<'a> {
    pub(crate) overrides: Overrides,
    pub(crate) seed: u64,
    pub(crate) patience: Duration,
    pub(crate) collector_effect: CollectorEffect,
    pub(crate) stop: &'a CancellationToken,
}

/// Drives a phase, and waits until its traces are settled.
pub(crate) async fn drive(
    plan: PhasePlan<'_>,
    environment: &Environment,
    terms: DriveSettings<'_>,
    progress: &(impl Fn(Progress) + Clone + Send + Sync + 'static),
) -> Result<PhaseTraces, RunError> {
    let lost_before = environment.lost_spans().await;
    let watch = StallWatch::start();
    let target = target(plan, environment)?;
    let load_plan = plan.plan(target, terms.seed, terms.overrides);
    let planned = load_plan.load.journeys();
    let name = plan.scenario.name.clone();
    let told = {
        let (progress, name, phase) = (progress.clone(), name.clone(), plan.phase);
        move |so_far: &loadgen::LoadProgress, line: &Line| {
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
        keep: true,
        journal: None,
        report: None,
    };
    let load = loadgen::drive(load_plan, recording, told, terms.stop.clone()).await?;
    let stalled = watch.stalled();
    drop(watch);
    let found = settle(plan, environment, &load.lines, terms, |settled, of| {
        progress(Progress::Settling {
            scenario: name.clone(),
            phase: plan.phase,
            settled,
            of,
        });
    })
    .await;
    let lost_spans = environment.lost_spans().await.saturating_sub(lost_before);
    Ok(PhaseTraces {
        phase: plan.phase,
        load,
        found,
        lost_spans,
        stalled,
    })
}

fn target(plan: PhasePlan<'_>, environment: &Environment) -> Result<Url, RunError> {
    match &plan.scenario.target {
        Target::Url(url) => Ok(url.parse().expect("it was checked when it was read")),
        Target::Shop => environment.checkout_url().ok_or(RunError::NoShop),
    }
}

/// The trace of one request while it is waited for.
struct Waiting {
    line: usize,
    change: u64,
    unchanged_since: Instant,
    /// Whether what is expected of it holds as it is now.
    holds: Option<bool>,
    /// From when on it need not be waited for if nothing of it came; `None`: it must come.
    missing_from: Option<Instant>,
}

async fn settle(
    plan: PhasePlan<'_>,
    environment: &Environment,
    lines: &[Line],
    terms: DriveSettings<'_>,
    settled: impl Fn(usize, usize),
) -> Vec<Found> {
    let CollectorEffect {
        delay,
        decides_after,
        sampling,
    } = terms.collector_effect;
    let all_decided = Instant::now() + decides_after + delay + LONG_REST;
    let mut waiting: Vec<Waiting> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.step.counts() && line.started.is_some())
        .map(|(line, _)| Waiting {
            line,
            change: 0,
            unchanged_since: Instant::now(),
            holds: None,
            missing_from: may_be_missing(plan, &lines[line], sampling).then_some(all_decided),
        })
        .collect();
    let total = waiting.len();
    let deadline = Instant::now() + decides_after + delay + terms.patience;
    loop {
        environment
            .read(waiting.iter().map(|waiting| &lines[waiting.line]))
            .await;
        let known = environment.known(lines).await;
        let asked: Vec<&Line> = waiting.iter().map(|waiting| &lines[waiting.line]).collect();
        let found = environment.find(&asked, &known).await;
        let mut found = found.iter();
        waiting.retain_mut(|waiting| match found.next() {
            Some(found) => !waiting.is_settled(found, plan.own, delay),
            None => true,
        });
        settled(total - waiting.len(), total);
        if waiting.is_empty() || Instant::now() >= deadline {
            break;
        }
        environment.wait().await;
    }
    // Those that are settled may have got more since; and nobody waited for the carts.
    environment.read(lines).await;
    let known = environment.known(lines).await;
    environment
        .find(&lines.iter().collect::<Vec<_>>(), &known)
        .await
}

// === impl Waiting ===

impl Waiting {
    /// `delay` is how long after a flush spans may still be under way.
    fn is_settled(
        &mut self,
        found: &Found,
        expected: Option<&Expectation>,
        delay: Duration,
    ) -> bool {
        let Some(trace) = &found.trace else {
            return self.missing_from.is_some_and(|from| Instant::now() >= from);
        };
        if found.change != self.change {
            self.change = found.change;
            self.unchanged_since = Instant::now();
            self.holds = None;
            return false;
        }
        let at_rest = self.unchanged_since.elapsed();
        // Batches of several services may come one after the other.
        let quiet = 2 * delay;
        match expected {
            Some(expected) => {
                at_rest >= APART + quiet
                    && *self.holds.get_or_insert_with(|| {
                        let observed = Observed {
                            trace,
                            related: &found.related,
                            arrival: found.arrival,
                            twin: None,
                        };
                        expect::check_with(expected, observed).verdict != Verdict::Fail
                    })
            }
            None => {
                let whole = || {
                    let all = std::iter::once(&**trace).chain(&found.related);
                    is_whole(all)
                };
                at_rest >= LONG_REST + quiet || (at_rest >= REST + quiet && whole())
            }
        }
    }
}

// === impl PhaseTraces ===

impl PhaseTraces {
    /// The lines that the scenario speaks of, with what is known of their traces.
    pub(crate) fn judged(&self) -> impl Iterator<Item = (&Line, &Found)> {
        self.load
            .lines
            .iter()
            .zip(&self.found)
            .filter(|(line, _)| line.step.counts() && line.started.is_some())
    }

    /// From when to when it lasted.
    pub(crate) fn window(&self) -> (UnixNanos, UnixNanos) {
        let lines = || self.load.lines.iter();
        let began = lines()
            .map(|line| line.started.unwrap_or(line.planned))
            .min();
        let ended = lines().filter_map(|line| line.ended).max();
        (began.unwrap_or_default(), ended.unwrap_or_default())
    }
}
