//! Runs one scenario: drives its phases, and judges each.

use std::time::Duration;

use expect::Twin;
use reqwest::Url;
use scenario::{Scenario, Target};
use tokio_util::sync::CancellationToken;

use crate::{
    conditions::Conditions,
    drive::drive,
    environment::Environment,
    error::RunError,
    follow::{Beside, DriveSettings, SHORT},
    judge::{self, Evidence, LatencyLine, Measured},
    outcome::Finished,
    phase::Phase,
    phase_traces::PhaseTraces,
    plan::PhasePlan,
    progress::Progress,
    settings::{OutFolder, Settings},
    twin::{compares_with_twin, measure_twin},
};

/// The longest wait until a target accepts a connection.
const TARGET_PATIENCE: Duration = Duration::from_secs(5);

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
) -> Result<Finished, RunError> {
    if let Target::Url(target) = &scenario.target {
        listens(target).await.map_err(|why| RunError::Target {
            scenario: scenario.name.clone(),
            target: target.clone(),
            why,
        })?;
    }
    let conditions = environment.conditions(&scenario.target);
    let out = settings.out.as_ref();
    let driven = drive_phases(environment, &scenario, settings, out, progress, stop).await?;
    let twin = twin_of(&scenario, &driven);
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
                    sampling: what.sampling,
                };
                judge::judge(*plan, what, evidence)
            }
        })
        .collect();
    Ok(Finished {
        scenario: scenario.clone(),
        phases,
    })
}

/// Drives the wanted phases of a scenario, and the phases that those are compared with. `out` is the folder for
/// what a long load cannot keep until its end.
pub(crate) async fn drive_phases<'s, P: Fn(Progress) + Clone + Send + Sync + 'static>(
    environment: &Environment,
    scenario: &'s Scenario,
    settings: &Settings,
    out: Option<&OutFolder>,
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
    let mut phases = Phase::ALL;
    if needs_twin && may_be_long(scenario, settings) {
        // The traces of a long load are judged while it runs: then the twin must be known.
        phases.sort_by_key(|phase| *phase != Phase::Twin);
    }
    for phase in phases {
        let is_needed = phase == Phase::Twin && needs_twin;
        if !is_needed && !settings.phases.contains(&phase) {
            continue;
        }
        let Some(plan) = PhasePlan::of(scenario, phase) else {
            continue;
        };
        let what = match plan.lacks(environment.conditions(&scenario.target)) {
            Some(reason) => Err(reason),
            None => {
                let is_judged = settings.phases.contains(&phase);
                let beside = beside(scenario, phase, &driven, out.filter(|_| is_judged));
                Ok(drive(plan, environment, terms, beside, progress).await?)
            }
        };
        driven.push((plan, what));
    }
    driven.sort_by_key(|(plan, _)| plan.phase);
    Ok(driven)
}

/// Whether a load of the scenario may be so long that its traces are judged while it runs.
fn may_be_long(scenario: &Scenario, settings: &Settings) -> bool {
    let plans = Phase::ALL.map(|phase| PhasePlan::of(scenario, phase));
    plans.into_iter().flatten().any(|plan| {
        let most = plan.requests(settings.overrides);
        most.is_none_or(|most| most > SHORT as u64)
    })
}

/// What a phase is judged by while it runs, of the phases that were driven before.
fn beside<'d>(
    scenario: &Scenario,
    phase: Phase,
    driven: &'d [(PhasePlan<'_>, Result<PhaseTraces, String>)],
    out: Option<&OutFolder>,
) -> Beside<'d> {
    let before = driven.iter().filter_map(|(_, what)| what.as_ref().ok());
    let found = before.flat_map(|driven| driven.judged());
    Beside {
        twin: twin_of(scenario, driven),
        traces: found
            .filter_map(|(_, found)| found.trace.as_deref())
            .collect(),
        folder: out.map(|out| {
            let folder = out.path.join(&scenario.name).join(phase.as_str());
            (folder, out.kept)
        }),
    }
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

fn of<'d>(
    driven: &'d [(PhasePlan<'_>, Result<PhaseTraces, String>)],
    phase: Phase,
) -> Option<&'d PhaseTraces> {
    let mut phases = driven.iter();
    let (_, what) = phases.find(|(plan, _)| plan.phase == phase)?;
    what.as_ref().ok()
}

fn twin_of(
    scenario: &Scenario,
    driven: &[(PhasePlan<'_>, Result<PhaseTraces, String>)],
) -> Option<Twin> {
    measure_twin(scenario, of(driven, Phase::Twin)?.judged())
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
