//! Runs scenarios, from the first process to the verdicts.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use collector::Passage;
use expect::Twin;
use futures::{StreamExt, stream};
use reqwest::Url;
use scenario::{Node, Scenario, Target, TimeWant};
use supervisor::{Config, Lab, Pace};
use thiserror::Error;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use trace::Trace;

use crate::{
    api::Database,
    conditions::Conditions,
    drive::{Driven, Terms, drive},
    findings,
    ground::{Ground, GroundError},
    judge::{self, Case, Unexplained},
    latency::{self, LatencyLine, Measured},
    left_out,
    part::{Overrides, Part, Phase},
    remote::Remote,
    report::PhaseReport,
};

/// How long a target may take to accept a connection.
const TARGET_PATIENCE: Duration = Duration::from_secs(5);

/// How scenarios are run.
#[derive(Debug)]
pub struct Settings {
    /// Where.
    pub place: Place,
    /// What becomes of traces between the services and the sink.
    pub passage: Passage,
    /// Which phases; the twin is driven all the same where a scenario compares with it.
    pub phases: Vec<Phase>,
    /// In place of what the scenarios say.
    pub overrides: Overrides,
    /// How long traces may take to settle once the load of a phase is over.
    pub patience: Duration,
    /// Decides what is bought.
    pub seed: u64,
    /// How many scenarios are run at a time that touch nobody but themselves.
    pub side_by_side: usize,
    /// Whether the load and the pace are those that the scenarios speak of. Where they are not, findings
    /// that come of the load are no surprise.
    pub as_written: bool,
    /// Where services of one's own send OTLP/gRPC and OTLP/HTTP, for a scenario with a target.
    pub receiver: (SocketAddr, SocketAddr),
}

/// Where scenarios are run.
#[derive(Debug)]
pub enum Place {
    /// In a lab of their own.
    Private(Box<Config>),
    /// In a lab that runs already, at the address of its page.
    Running(Url),
}

/// How far a run has come.
#[derive(Clone, Debug)]
pub enum Progress {
    /// There is a place to run in.
    Ready,
    /// A phase makes its requests.
    Driving {
        /// Of this scenario.
        scenario: String,
        /// Which phase.
        phase: Phase,
        /// Requests so far.
        requests: u64,
        /// Journeys planned in all, if that is known.
        planned: Option<u64>,
    },
    /// A phase waits for its traces.
    Settling {
        /// Of this scenario.
        scenario: String,
        /// Which phase.
        phase: Phase,
        /// Settled so far.
        settled: usize,
        /// To be judged in all.
        of: usize,
    },
    /// A scenario is over.
    Done {
        /// Which one.
        scenario: String,
        /// How many are over.
        done: usize,
        /// How many there are in all.
        of: usize,
    },
}

/// A scenario that came to its verdicts.
#[derive(Debug)]
pub struct Finished {
    /// The scenario.
    pub scenario: Scenario,
    /// Its phases, in the order in which they were run.
    pub phases: Vec<PhaseRun>,
}

/// A phase that came to its verdict.
#[derive(Debug)]
pub struct PhaseRun {
    /// The verdict and its numbers.
    pub report: PhaseReport,
    /// What they were counted from.
    pub cases: Vec<Case>,
    /// Traces that belong to no request, of the time in which this phase ran.
    pub unexplained: Vec<Unexplained>,
    /// From when to when it lasted, in nanoseconds since the Unix epoch.
    pub(crate) window: (u64, u64),
}

/// Why there is no verdict.
#[derive(Debug, Error)]
pub enum RunError {
    /// There is no place to run in.
    #[error(transparent)]
    Ground(#[from] GroundError),
    /// The load could not be driven.
    #[error(transparent)]
    Load(#[from] loadgen::Error),
    /// The service of a scenario does not answer.
    #[error("{scenario}: nothing listens at its target {target}: {why}")]
    Target {
        /// The scenario.
        scenario: String,
        /// Its target.
        target: String,
        /// What became of the attempt.
        why: std::io::Error,
    },
    /// A scenario of the shop is to be run where there is none.
    #[error("there is no shop here to run the scenario in")]
    NoShop,
}

/// Runs scenarios. `progress` is told how far it has come; `events` what the processes of the lab
/// said and did. When `stop` is cancelled, what was asked until then is judged.
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
        // Before the others, since two labs at a time would take each other's messages off a broker
        // that is not their own.
        let without_pace = match &settings.place {
            Place::Private(config) if of_shop => {
                drive_without_pace(config, &scenarios, &settings, &progress, &events, &stop).await?
            }
            _ => WithoutPace::new(),
        };
        let site = Site::open(&settings, of_shop, events.clone()).await?;
        progress(Progress::Ready);
        let told = Told {
            progress: &progress,
            before: finished.len(),
            total,
        };
        let run = site
            .run_all(scenarios, without_pace, &settings, told, &stop)
            .await;
        site.close().await;
        finished.extend(run?);
    }
    finished.sort_by_key(|(place, _)| *place);
    Ok(finished.into_iter().map(|(_, finished)| finished).collect())
}

/// Where some scenarios are run.
struct Site {
    ground: Ground,
    listening: Option<JoinHandle<()>>,
}

/// The parts of a scenario, each with what it came to, or why it was not driven.
type Parts<'s> = Vec<(Part<'s>, Result<Driven, String>)>;

/// What the loads of scenarios, by their places, came to where no time is simulated.
type WithoutPace = BTreeMap<usize, Vec<Driven>>;

/// Who is told of the progress, and what went before.
#[derive(Clone, Copy)]
struct Told<'p, P> {
    progress: &'p P,
    before: usize,
    total: usize,
}

// === impl Site ===

impl Site {
    async fn open(
        settings: &Settings,
        of_shop: bool,
        events: impl Fn(supervisor::Event) + Send + Sync + 'static,
    ) -> Result<Site, RunError> {
        match &settings.place {
            Place::Running(page) => {
                let remote = Remote::find(page.clone())
                    .await
                    .map_err(GroundError::from)?;
                Ok(Site::of(Ground::running(remote)))
            }
            Place::Private(config) if of_shop => {
                Site::start((**config).clone(), conditions(config), events).await
            }
            Place::Private(_) => {
                let (grpc, http) = settings.receiver;
                let listen = async |address| {
                    TcpListener::bind(address)
                        .await
                        .map_err(|source| GroundError::Listen { address, source })
                };
                let (grpc, http) = (listen(grpc).await?, listen(http).await?);
                Ok(Site::of(Ground::sink(grpc, http)))
            }
        }
    }

    /// In a lab that is started for it. `conditions` is what its scenarios may count on.
    async fn start(
        config: Config,
        conditions: Conditions,
        events: impl Fn(supervisor::Event) + Send + Sync + 'static,
    ) -> Result<Site, RunError> {
        let (lab, mut told) = Lab::start(config).await.map_err(GroundError::from)?;
        let heard = tokio::spawn(async move {
            while let Some(event) = told.next().await {
                events(event);
            }
        });
        Ok(Site {
            ground: Ground::lab(lab, conditions),
            listening: Some(heard),
        })
    }

    fn of(ground: Ground) -> Site {
        Site {
            ground,
            listening: None,
        }
    }

    /// Those that touch nobody but themselves side by side, then the others one after another.
    async fn run_all<P: Fn(Progress) + Clone + Send + Sync + 'static>(
        &self,
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
            let mut running =
                stream::iter(scenarios.map(async |(place, scenario, without_pace)| {
                    let run = self
                        .run_one(scenario, &without_pace, settings, told.progress, stop)
                        .await;
                    (place, run)
                }))
                .buffer_unordered(at_once);
            while let Some((place, run)) = running.next().await {
                let run = run?;
                (told.progress)(Progress::Done {
                    scenario: run.finished.scenario.name.clone(),
                    done: told.before + finished.len() + 1,
                    of: told.total,
                });
                finished.push((place, run));
                if stop.is_cancelled() {
                    break;
                }
            }
        }
        if self.ground.is_private() {
            self.explain(&mut finished).await;
        }
        Ok(finished
            .into_iter()
            .map(|(place, run)| (place, run.finished))
            .collect())
    }

    async fn run_one<P: Fn(Progress) + Clone + Send + Sync + 'static>(
        &self,
        scenario: Scenario,
        without_pace: &[Driven],
        settings: &Settings,
        progress: &P,
        stop: &CancellationToken,
    ) -> Result<Run, RunError> {
        if let Target::Url(target) = &scenario.target {
            listens(target).await.map_err(|why| RunError::Target {
                scenario: scenario.name.clone(),
                target: target.clone(),
                why,
            })?;
        }
        let conditions = self.ground.conditions(&scenario.target);
        let driven = self.drive(&scenario, settings, progress, stop).await?;
        let twin = measure_twin(&scenario, &driven);
        let phases = driven
            .iter()
            .filter(|(part, _)| settings.phases.contains(&part.phase))
            .map(|(part, what)| match what {
                Err(reason) => PhaseRun::unsupported(*part, reason),
                Ok(what) => {
                    let latency =
                        latency_lines(&scenario, part.phase, &driven, without_pace, conditions);
                    let sampling = settings.passage.sampling;
                    let cases = judge::cases(*part, what, twin.as_ref(), &latency, sampling);
                    let beside: Vec<&Driven> = driven
                        .iter()
                        .filter(|(other, _)| other.phase != part.phase)
                        .filter_map(|(_, what)| what.as_ref().ok())
                        .collect();
                    let terms = findings::Terms {
                        beside: &beside,
                        as_written: settings.as_written && what.stalled.is_none(),
                        conditions,
                    };
                    let wrong = left_out::wrong_share(*part, what, sampling);
                    PhaseRun::new(*part, what, cases, latency, terms, wrong)
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
        Ok(Run { finished, lines })
    }

    /// Drives the parts of a scenario that are wanted, or that those are compared with.
    async fn drive<'s, P: Fn(Progress) + Clone + Send + Sync + 'static>(
        &self,
        scenario: &'s Scenario,
        settings: &Settings,
        progress: &P,
        stop: &CancellationToken,
    ) -> Result<Parts<'s>, RunError> {
        let terms = Terms {
            overrides: settings.overrides,
            seed: settings.seed,
            patience: settings.patience,
            passage: settings.passage,
            stop,
        };
        let needs_twin =
            compares_with_twin(scenario) || findings::needs_twin(scenario.findings.as_deref());
        let mut driven = Parts::new();
        for phase in Phase::ALL {
            let is_needed = phase == Phase::Twin && needs_twin;
            if !is_needed && !settings.phases.contains(&phase) {
                continue;
            }
            let Some(part) = Part::of(scenario, phase) else {
                continue;
            };
            let what = match part.lacks(self.ground.conditions(&scenario.target)) {
                Some(reason) => Err(reason),
                None => Ok(drive(part, &self.ground, terms, progress).await?),
            };
            driven.push((part, what));
        }
        Ok(driven)
    }

    /// Finds the traces that belong to no request of any scenario.
    async fn explain(&self, finished: &mut [(usize, Run)]) {
        let lines: Vec<_> = finished
            .iter()
            .flat_map(|(_, run)| run.lines.iter().cloned())
            .collect();
        for trace in self.ground.of_nobody(&lines).await {
            let found = judge::unexplained(&trace);
            // Of several that ran at that time, the one that began last is likeliest.
            let phases = finished
                .iter_mut()
                .flat_map(|(_, run)| &mut run.finished.phases);
            let began_before = phases.filter(|phase| phase.window.0 <= found.began);
            if let Some(phase) = began_before.max_by_key(|phase| phase.window.0) {
                phase.unexplained.push(found);
            }
        }
        for (_, run) in finished {
            run.finished
                .phases
                .iter_mut()
                .for_each(PhaseRun::count_unexplained);
        }
    }

    async fn close(self) {
        self.ground.stop().await;
        if let Some(heard) = self.listening {
            // It ends with the lab; a panic of the one who is told has been shown already.
            let _ = heard.await;
        }
    }
}

/// A scenario that was run, with all requests that were made for it.
struct Run {
    finished: Finished,
    lines: Vec<loadgen::Line>,
}

/// What there is in a lab of its own.
fn conditions(config: &Config) -> Conditions {
    Conditions::Shop {
        database: match config.database {
            Some(_) => Database::Postgresql,
            None => Database::Sqlite,
        },
        pace: Some(config.pace),
    }
}

/// The loads of those scenarios that are also measured where no time is simulated: in a lab of its own.
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
    // What is not judged in the lab of the run need not be measured here: so its pace is what counts.
    let conditions = conditions(config);
    let config = Config {
        pace: Pace::None,
        ..config.clone()
    };
    let site = Site::start(config, conditions, events.clone()).await?;
    let driven = async {
        let mut measured = WithoutPace::new();
        for (place, scenario) in wanted {
            let driven = site.drive(scenario, settings, progress, stop).await?;
            let driven = driven.into_iter().filter_map(|(_, what)| what.ok());
            measured.insert(*place, driven.collect());
        }
        Ok(measured)
    }
    .await;
    site.close().await;
    driven
}

/// Whether nothing else may run beside it: it touches others, or it is measured.
fn runs_alone(scenario: &Scenario) -> bool {
    !scenario.latency.is_empty()
        || Phase::ALL
            .into_iter()
            .filter_map(|phase| Part::of(scenario, phase))
            .any(|part| part.touches_others())
}

/// Whether somebody listens at a target: an error says why not.
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

/// Whether something is held against the times of the twin.
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

fn of<'d>(driven: &'d [(Part<'_>, Result<Driven, String>)], phase: Phase) -> Option<&'d Driven> {
    let mut parts = driven.iter();
    let (_, what) = parts.find(|(part, _)| part.phase == phase)?;
    what.as_ref().ok()
}

fn measure_twin(
    scenario: &Scenario,
    driven: &[(Part<'_>, Result<Driven, String>)],
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
    driven: &[(Part<'_>, Result<Driven, String>)],
    without_pace: &[Driven],
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
            latency::lines(want, &measured, conditions)
        })
        .collect()
}
