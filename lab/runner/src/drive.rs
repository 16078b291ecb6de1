//! Drives one phase of a scenario, and waits until its traces are settled. The content of a trace decides
//! that, never the time alone.
//!
//! A trace of the faulty phase is settled when everything that its scenario expects of it is there and the
//! trace did not change between two reads; all services are flushed before each read. A trace of a silent
//! phase has no expectation. It is settled when it is whole (no parent is missing, every message that was
//! sent was processed) and did not change for a while. A trace that does not settle is judged in the state
//! that it has at the end of `patience`. With a Collector in between, each of these times grows by the time
//! for which the set-up of the Collector may hold spans back.

use std::time::Duration;

use collector::{CollectorEffect, Sampling};
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

/// The shortest time between two reads that show that a trace does not change.
const APART: Duration = Duration::from_millis(50);

/// The time for which a whole trace without an expectation must not change.
const REST: Duration = Duration::from_millis(400);

/// The same time for a trace that is not whole: it may never become whole.
const LONG_REST: Duration = Duration::from_secs(2);

/// The result of driving a phase, before it is judged.
#[derive(Debug)]
pub(crate) struct PhaseTraces {
    pub(crate) phase: Phase,
    pub(crate) load: LoadReport,
    /// The trace of each line, in the order of the lines.
    pub(crate) found: Vec<Found>,
    pub(crate) lost_spans: u64,
    /// Why the traces that did not come are missing, where that can be known.
    pub(crate) why_missing: Option<String>,
    /// The share of the time in which the machine stood still, from 0 to 1; `None` if it is small.
    pub(crate) stalled: Option<f64>,
}

/// The conditions under which a phase is driven.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DriveSettings<'a> {
    pub(crate) overrides: Overrides,
    pub(crate) seed: u64,
    pub(crate) patience: Duration,
    pub(crate) collector_effect: CollectorEffect,
    pub(crate) stop: &'a CancellationToken,
}

/// The longest time for traces to settle once the run was stopped.
const LAST_TRACES: Duration = Duration::from_millis(1500);

/// Drives a phase, and waits until its traces are settled.
pub(crate) async fn drive(
    plan: PhasePlan<'_>,
    environment: &Environment,
    terms: DriveSettings<'_>,
    progress: &(impl Fn(Progress) + Clone + Send + Sync + 'static),
) -> Result<PhaseTraces, RunError> {
    let lost_before = environment.lost_spans().await;
    let arrived_before = environment.arrivals().await;
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
    let brought_context =
        |(line, found): (&Line, &Found)| line.sent_span_id.is_some() && found.trace.is_none();
    let why_missing = match arrived_before {
        Some(before) if load.lines.iter().zip(&found).any(brought_context) => {
            environment.why_missing(&before, &load.lines).await
        }
        _ => None,
    };
    Ok(PhaseTraces {
        phase: plan.phase,
        load,
        found,
        lost_spans,
        why_missing,
        stalled,
    })
}

fn target(plan: PhasePlan<'_>, environment: &Environment) -> Result<Url, RunError> {
    match &plan.scenario.target {
        Target::Url(url) => Ok(url.parse().expect("it was checked when it was read")),
        Target::Shop => environment.checkout_url().ok_or(RunError::NoShop),
    }
}

/// The trace of one request while the run waits for it.
struct Waiting {
    line: usize,
    change: u64,
    unchanged_since: Instant,
    /// Whether the trace fulfils its expectation in its present state.
    holds: Option<bool>,
    /// The instant from which the run stops waiting for a trace that has not arrived; `None` if the trace
    /// must arrive.
    missing_from: Option<Instant>,
}

/// The sampling rules of the Collector for the traces of these requests.
pub(crate) fn sampling_of(effect: &CollectorEffect, lines: &[Line]) -> Option<Sampling> {
    let started = lines.iter().filter_map(|line| line.started);
    let mut starts: Vec<u64> = started.map(|started| started.0).collect();
    starts.sort_unstable();
    effect.sampling_of(&starts)
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
        ..
    } = terms.collector_effect;
    let sampling = sampling_of(&terms.collector_effect, lines);
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
    let mut deadline = Instant::now() + decides_after + delay + terms.patience;
    let mut stopped_at = None;
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
        if terms.stop.is_cancelled() {
            deadline = deadline.min(*stopped_at.get_or_insert_with(Instant::now) + LAST_TRACES);
        }
        if waiting.is_empty() || Instant::now() >= deadline {
            break;
        }
        environment.wait().await;
    }
    // Settled traces may have received more spans since, and the loop did not wait for the carts.
    environment.read(lines).await;
    let known = environment.known(lines).await;
    environment
        .find(&lines.iter().collect::<Vec<_>>(), &known)
        .await
}

// === impl Waiting ===

impl Waiting {
    /// `delay` is the longest time between a flush and the arrival of its spans.
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
        // Batches of several services may arrive one after the other.
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
    /// The lines that the scenario judges, with their traces.
    pub(crate) fn judged(&self) -> impl Iterator<Item = (&Line, &Found)> {
        self.load
            .lines
            .iter()
            .zip(&self.found)
            .filter(|(line, _)| line.step.counts() && line.started.is_some())
    }

    /// The start and the end of the load.
    pub(crate) fn window(&self) -> (UnixNanos, UnixNanos) {
        let lines = || self.load.lines.iter();
        let began = lines()
            .map(|line| line.started.unwrap_or(line.planned))
            .min();
        let ended = lines().filter_map(|line| line.ended).max();
        (began.unwrap_or_default(), ended.unwrap_or_default())
    }
}
