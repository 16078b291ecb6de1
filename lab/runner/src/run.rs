//! Runs scenarios, from the start of the first process to the verdicts.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use protocol::Pace;
use scenario::{Scenario, Target};
use supervisor::Config;
use tokio_util::sync::CancellationToken;

use crate::{
    conditions::Conditions,
    environment::Environment,
    error::RunError,
    judge::judge_unexplained,
    outcome::Finished,
    phase::Phase,
    phase_traces::PhaseTraces,
    plan::PhasePlan,
    progress::Progress,
    scenario_run::{drive_phases, run_one},
    settings::{LabChoice, Settings},
};

/// Runs scenarios. `progress` receives the progress of the run; `events` receives the events of the lab's
/// processes. When `stop` is cancelled, the requests that were made until then are judged.
pub async fn run(
    scenarios: Vec<Scenario>,
    settings: Settings,
    progress: impl Fn(Progress) + Clone + Send + Sync + 'static,
    events: impl Fn(supervisor::Event) + Clone + Send + Sync + 'static,
    stop: CancellationToken,
) -> Result<Vec<Finished>, RunError> {
    let total = scenarios.len();
    let (shops, others): (Vec<_>, Vec<_>) = scenarios
        .into_iter()
        .enumerate()
        .partition(|(_, scenario)| scenario.target == Target::Shop);
    let mut finished = Vec::with_capacity(total);
    for (scenarios, of_shop) in [(shops, true), (others, false)] {
        if scenarios.is_empty() {
            continue;
        }
        // This lab runs before the others: two labs at the same time would take each other's messages from an
        // external broker.
        let without_pace = match &settings.lab {
            LabChoice::Private(config) if of_shop => {
                drive_without_pace(config, &scenarios, &settings, &progress, &events, &stop).await?
            }
            _ => WithoutPace::new(),
        };
        let environment = Environment::open(&settings, of_shop, events.clone()).await?;
        progress(Progress::Ready);
        let told = Told {
            progress: &progress,
            before: finished.len(),
            total,
        };
        let run = run_all(
            &environment,
            scenarios,
            without_pace,
            &settings,
            told,
            &stop,
        )
        .await;
        environment.close().await;
        finished.extend(run?);
    }
    finished.sort_by_key(|(place, _)| *place);
    Ok(finished.into_iter().map(|(_, finished)| finished).collect())
}

/// The loads of scenarios without simulated times, by the index of the scenario.
type WithoutPace = BTreeMap<usize, Vec<PhaseTraces>>;

/// The receiver of the progress, with the state of the run so far.
#[derive(Clone, Copy)]
struct Told<'p, P> {
    progress: &'p P,
    before: usize,
    total: usize,
}

/// Drives the loads of those scenarios that are also measured without simulated times, in a lab of their own.
async fn drive_without_pace(
    config: &Config,
    scenarios: &[(usize, Scenario)],
    settings: &Settings,
    progress: &(impl Fn(Progress) + Clone + Send + Sync + 'static),
    events: &(impl Fn(supervisor::Event) + Clone + Send + Sync + 'static),
    stop: &CancellationToken,
) -> Result<WithoutPace, RunError> {
    let wanted: Vec<_> = scenarios
        .iter()
        .filter(|(_, scenario)| scenario.latency.iter().any(|want| want.own))
        .collect();
    if wanted.is_empty() {
        return Ok(WithoutPace::new());
    }
    // A want that is not judged in the lab of the run need not be measured here. So the pace of that lab
    // counts.
    let conditions = Conditions::of_lab(config);
    let config = Config {
        pace: Pace::None,
        ..config.clone()
    };
    let environment = Environment::start(config, conditions, events.clone()).await?;
    let environment = environment.reading_from(settings.backend.clone());
    let driven = async {
        let mut measured = WithoutPace::new();
        for (place, scenario) in wanted {
            let driven =
                drive_phases(&environment, scenario, settings, None, progress, stop).await?;
            let driven = driven.into_iter().filter_map(|(_, what)| what.ok());
            measured.insert(*place, driven.collect());
        }
        Ok(measured)
    }
    .await;
    environment.close().await;
    driven
}

/// Whether a scenario must run alone: its faults act on other requests, or its times are measured.
fn runs_alone(scenario: &Scenario) -> bool {
    !scenario.latency.is_empty()
        || Phase::ALL
            .into_iter()
            .filter_map(|phase| PhasePlan::of(scenario, phase))
            .any(|plan| plan.touches_others())
}

/// Runs the scenarios that act on their own requests alone side by side, then the others one after another.
async fn run_all<P: Fn(Progress) + Clone + Send + Sync + 'static>(
    environment: &Environment,
    scenarios: Vec<(usize, Scenario)>,
    mut without_pace: WithoutPace,
    settings: &Settings,
    told: Told<'_, P>,
    stop: &CancellationToken,
) -> Result<Vec<(usize, Finished)>, RunError> {
    let (alone, together): (Vec<_>, Vec<_>) = scenarios
        .into_iter()
        .partition(|(_, scenario)| runs_alone(scenario));
    let mut finished = Vec::new();
    for (scenarios, at_once) in [(together, settings.side_by_side.max(1)), (alone, 1)] {
        let scenarios = scenarios.into_iter().map(|(place, scenario)| {
            let without_pace = without_pace.remove(&place).unwrap_or_default();
            (place, scenario, without_pace)
        });
        let mut running = stream::iter(scenarios.map(async |(place, scenario, without_pace)| {
            let run = run_one(
                environment,
                scenario,
                &without_pace,
                settings,
                told.progress,
                stop,
            )
            .await;
            (place, run)
        }))
        .buffer_unordered(at_once);
        while let Some((place, run)) = running.next().await {
            let run = run?;
            (told.progress)(Progress::Done {
                scenario: run.scenario.name.clone(),
                done: told.before + finished.len() + 1,
                of: told.total,
            });
            finished.push((place, run));
            if stop.is_cancelled() {
                break;
            }
        }
    }
    if environment.is_private() {
        explain(environment, &mut finished).await;
    }
    Ok(finished)
}

/// Finds the traces that belong to no request of any scenario.
async fn explain(environment: &Environment, finished: &mut [(usize, Finished)]) {
    for found in environment.unexplained().await {
        // If several phases ran at that time, the phase that began last is the most likely one.
        let phases = finished.iter_mut().flat_map(|(_, run)| &mut run.phases);
        let began_before = phases.filter(|phase| phase.window.0 <= found.began);
        if let Some(phase) = began_before.max_by_key(|phase| phase.window.0) {
            phase.unexplained.push(found);
        }
    }
    for (_, run) in finished {
        run.phases.iter_mut().for_each(judge_unexplained);
    }
}
