//! Runs one scenario: drives its phases, and judges each.

use std::time::Duration;

use expect::Twin;
use reqwest::Url;
use scenario::{Node, Scenario, Target, TimeWant};
use tokio_util::sync::CancellationToken;
use trace::Trace;

use crate::{
    conditions::Conditions,
    drive::{DriveSettings, PhaseTraces, drive, sampling_of},
    environment::Environment,
    error::RunError,
    judge::{self, Evidence, LatencyLine, Measured},
    outcome::Finished,
    phase::Phase,
    plan::PhasePlan,
    progress::Progress,
    settings::Settings,
};

/// The longest wait until a target accepts a connection.
const TARGET_PATIENCE: Duration = Duration::from_secs(5);

/// A scenario that was run, with all requests that were made for it.
pub(crate) struct ScenarioRun {
    pub(crate) finished: Finished,
    pub(crate) lines: Vec<loadgen::Line>,
}

/// The phases of a scenario, each with its traces, or with the reason why it was not driven.
type Phases<'s> = Vec<(PhasePlan<'s>, Result<PhaseTraces, String>)>;

/// Runs the wanted phases of a scenario, and judges them.
pub(crate) async fn run_one<P: Fn(Progress) + Clone + Send + Sync + 'static>(
    environment: &Environment,
    scenario: Scenario,
    without_pace: &[PhaseTraces],
    settings: &Settings,
    progress: &P,
    stop: &CancellationToken,
) -> Result<ScenarioRun, RunError> {
    if let Target::Url(target) = &scenario.target {
        listens(target).await.map_err(|why| RunError::Target {
            scenario: scenario.name.clone(),
            target: target.clone(),
            why,
        })?;
    }
    let conditions = environment.conditions(&scenario.target);
    let driven = drive_phases(environment, &scenario, settings, progress, stop).await?;
    let twin = measure_twin(&scenario, &driven);
    let phases = driven
        .iter()
        .filter(|(plan, _)| settings.phases.contains(&plan.phase))
        .map(|(plan, what)| match what {
            Err(reason) => judge::not_run(*plan, reason),
            Ok(what) => {
                let other_phases: Vec<&PhaseTraces> = driven
                    .iter()
                    .filter(|(other, _)| other.phase != plan.phase)
                    .filter_map(|(_, what)| what.as_ref().ok())
                    .collect();
                let latency =
                    latency_lines(&scenario, plan.phase, &driven, without_pace, conditions);
                let evidence = Evidence {
                    twin: twin.as_ref(),
                    other_phases: &other_phases,
                    latency,
                    conditions,
                    as_written: settings.as_written,
                    stalled: what.stalled.is_some(),
                    sampling: sampling_of(&settings.collector_effect, &what.load.lines),
                };
                judge::judge(*plan, what, evidence)
            }
        })
        .collect();
    let lines = driven
        .iter()
        .filter_map(|(_, what)| what.as_ref().ok())
        .flat_map(|driven| driven.load.lines.clone())
        .collect();
    let finished = Finished {
        scenario: scenario.clone(),
        phases,
    };
    Ok(ScenarioRun { finished, lines })
}

/// Drives the wanted phases of a scenario, and the phases that those are compared with.
pub(crate) async fn drive_phases<'s, P: Fn(Progress) + Clone + Send + Sync + 'static>(
    environment: &Environment,
    scenario: &'s Scenario,
    settings: &Settings,
    progress: &P,
    stop: &CancellationToken,
) -> Result<Phases<'s>, RunError> {
    let terms = DriveSettings {
        overrides: settings.overrides,
        seed: settings.seed,
        patience: settings.patience,
        collector_effect: settings.collector_effect,
        stop,
    };
    let needs_twin =
        compares_with_twin(scenario) || judge::needs_twin(scenario.findings.as_deref());
    let mut driven = Phases::new();
    for phase in Phase::ALL {
        let is_needed = phase == Phase::Twin && needs_twin;
        if !is_needed && !settings.phases.contains(&phase) {
            continue;
        }
        let Some(plan) = PhasePlan::of(scenario, phase) else {
            continue;
        };
        let what = match plan.lacks(environment.conditions(&scenario.target)) {
            Some(reason) => Err(reason),
            None => Ok(drive(plan, environment, terms, progress).await?),
        };
        driven.push((plan, what));
    }
    Ok(driven)
}

/// Connects to a target. An error says why the target does not accept connections.
async fn listens(target: &str) -> std::io::Result<()> {
    let url: Url = target.parse().expect("it was checked when it was read");
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let connected = tokio::net::TcpStream::connect((host, port));
    match tokio::time::timeout(TARGET_PATIENCE, connected).await {
        Ok(connected) => connected.map(drop),
        Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
    }
}

/// Whether the scenario compares a time with the times of the twin.
fn compares_with_twin(scenario: &Scenario) -> bool {
    fn in_node(node: &Node) -> bool {
        node.duration_of_twin.is_some() || node.children.iter().any(in_node)
    }
    let in_latency = scenario.latency.iter().any(|want| {
        let mut times = want.percentiles.iter().map(|(_, time)| time);
        times.any(|time| matches!(time, TimeWant::OfTwin(_)))
    });
    in_latency || scenario.expect.tree.iter().any(in_node)
}

fn of<'d>(
    driven: &'d [(PhasePlan<'_>, Result<PhaseTraces, String>)],
    phase: Phase,
) -> Option<&'d PhaseTraces> {
    let mut phases = driven.iter();
    let (_, what) = phases.find(|(plan, _)| plan.phase == phase)?;
    what.as_ref().ok()
}

fn measure_twin(
    scenario: &Scenario,
    driven: &[(PhasePlan<'_>, Result<PhaseTraces, String>)],
) -> Option<Twin> {
    let twin = of(driven, Phase::Twin).filter(|_| compares_with_twin(scenario))?;
    let traces: Vec<(Trace, Vec<Trace>)> = twin
        .judged()
        .filter_map(|(_, found)| {
            let trace = found.trace.as_deref()?.clone();
            Some((trace, found.related.clone()))
        })
        .collect();
    Some(Twin::measure(&scenario.expect, &traces))
}

fn latency_lines(
    scenario: &Scenario,
    phase: Phase,
    driven: &[(PhasePlan<'_>, Result<PhaseTraces, String>)],
    without_pace: &[PhaseTraces],
    conditions: Conditions,
) -> Vec<LatencyLine> {
    let unpaced = |phase| without_pace.iter().find(|driven| driven.phase == phase);
    scenario
        .latency
        .iter()
        .flat_map(|want| {
            let measured = match want.own {
                true => Measured {
                    phase: unpaced(phase),
                    twin: unpaced(Phase::Twin),
                },
                false => Measured {
                    phase: of(driven, phase),
                    twin: of(driven, Phase::Twin),
                },
            };
            judge::latency_lines(want, &measured, conditions)
        })
        .collect()
}
