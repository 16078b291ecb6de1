//! `tracelab run SCENARIO…`: runs the load of each scenario, and judges every trace.

mod progress;

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use ::collector::{CollectorEffect, Program, Setup};
use ::scenario::{Scenario, Target};
use expect::Verdict;
use plain::Plain;
use reqwest::Url;
use runner::{
    Finished, Kept, LabChoice, OutFolder, Overrides, Phase, Report, SetParameter, Settings,
};
use supervisor::{Collectors, Config, Ports};

use self::progress::show;
use crate::{
    arguments::{at_least_one, lab_url},
    backend_args::{Backend, BackendArgs},
    events,
    exit::{Outcome, WrongInput},
    log, screen,
    shop_args::ShopArgs,
    stop,
};

/// The number of scenarios that run side by side, if their faults act on their own requests alone.
const SIDE_BY_SIDE: usize = 6;

/// Run scenarios, and check every trace that comes out.
///
/// A private lab is started on free ports, so several runs can go side by side. Each scenario is run with its
/// fault, without it (the twin), and as its near miss: the first must look as the scenario says, the others
/// must not. The exit code is 0 if all passed, 1 if an expectation failed, 2 if the input was wrong, 3 if the
/// environment failed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab run n-plus-one
  tracelab run slow-provider --set slow-provider.latency_ms=1600 --only faulty --only twin
  tracelab run checkout --requests 1000 --users 50 --pace none
  tracelab run checkout --via collector-config/tail-sampling.yaml
  tracelab run checkout --backend jaeger --url http://127.0.0.1:16686 --otlp grpc://127.0.0.1:4317
  tracelab run ./my-scenario.yaml --lab http://127.0.0.1:8080 --format json
  tracelab run --all --format junit --out results")]
pub(crate) struct Args {
    /// Names of scenarios that come with tracelab, or paths of files.
    #[arg(required_unless_present = "all", value_name = "SCENARIO")]
    scenarios: Vec<String>,

    /// Run all scenarios that come with tracelab.
    #[arg(long, conflicts_with = "scenarios")]
    all: bool,

    /// Run only this phase; may be given more than once.
    #[arg(long, value_enum, value_name = "PHASE")]
    only: Vec<PhaseArg>,

    /// Set a parameter of a fault: FAULT.PARAMETER=VALUE; may be given more than once.
    #[arg(long, value_name = "FAULT.PARAM=VALUE")]
    set: Vec<SetParameter>,

    /// Use the running lab whose page is at this address, instead of a private lab.
    #[arg(long, value_name = "URL", value_parser = lab_url, conflicts_with_all = ["pace", "messaging_relation", "database", "amqp"])]
    lab: Option<Url>,

    /// Send all telemetry through an OpenTelemetry Collector, and check what comes out of it.
    ///
    /// FILE is its set-up, such as collector-config/base.yaml, or a folder with agent.yaml and gateway.yaml.
    /// A set-up that samples says which traces may be missing; all other traces must arrive.
    #[arg(long, value_name = "FILE", conflicts_with = "lab")]
    via: Option<PathBuf>,

    /// The program of the Collector, if it is neither on PATH nor where scripts/parts builds it.
    #[arg(long, value_name = "BIN", requires = "via")]
    collector: Option<PathBuf>,

    #[command(flatten)]
    backend: BackendArgs,

    /// The number of requests of each phase, in place of the scenario's number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,

    /// The number of concurrent users, in place of the scenario's number.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    users: Option<NonZeroUsize>,

    #[command(flatten)]
    shop: ShopArgs,

    /// The longest time for traces to settle after the load, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    patience: u64,

    /// The seed that decides which products are bought: equal seeds fill equal carts.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// The address for OTLP/gRPC from the services of a scenario with a target.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 4317)))]
    otlp_grpc: SocketAddr,

    /// The address for OTLP/HTTP from the services of a scenario with a target.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 4318)))]
    otlp_http: SocketAddr,

    /// Write the report, the ledgers and traces into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Which traces are written there.
    #[arg(long, value_enum, default_value_t, requires = "out")]
    traces: TracesArg,

    /// Fail if a part of a scenario could not be evaluated.
    #[arg(long)]
    strict: bool,

    /// Print the output of the services on standard error; under faults it has many errors.
    #[arg(long, short)]
    verbose: bool,

    /// The format of the report.
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
}

/// A phase, as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum PhaseArg {
    /// The scenario itself, with its faults.
    Faulty,
    /// The same load without the fault.
    Twin,
    /// A load that looks alike and is healthy.
    NearMiss,
}

/// Which traces are written, as an argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum TracesArg {
    /// The traces of failed requests.
    #[default]
    Failed,
    /// All judged traces.
    All,
}

/// The formats of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people.
    #[default]
    Text,
    /// A single JSON document.
    Json,
    /// JUnit XML, for continuous integration.
    Junit,
    /// Markdown, for a pull request.
    Markdown,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let scenarios = args.scenarios()?;
    let via = args.via(&scenarios).await?;
    let backend = args.backend(&scenarios).await?;
    let settings = args.settings(via, backend).await?;
    log::start();
    let stop = stop::on_signals()?;
    let bar = screen::progress_bar("{msg:<44} {wide_bar} {pos}/{len}");
    let told = events::print_above(bar.clone(), args.verbose);
    let run = runner::run(
        scenarios,
        settings,
        show(bar.clone()),
        told,
        stop.token().clone(),
    );
    let finished = tokio::select! {
        finished = run => finished,
        () = stop.over() => {
            bar.finish_and_clear();
            supervisor::kill_all();
            stderr::say("the run was stopped, and did not come to its end in time: there is no report");
            return Ok(Outcome::Interrupted);
        }
    };
    bar.finish_and_clear();
    let finished = finished?;
    if let Some(folder) = &args.out {
        runner::write_files(&finished, folder, args.traces.into())?;
    }
    let report = Report::new(&finished);
    print(&args, &finished, &report)?;
    Ok(match report.verdict {
        Verdict::Fail => Outcome::Failed,
        Verdict::Unsupported if args.strict => Outcome::Failed,
        Verdict::Pass | Verdict::Unsupported => Outcome::Passed,
    })
}

// === impl Args ===

impl Args {
    fn scenarios(&self) -> anyhow::Result<Vec<Scenario>> {
        let mut scenarios = Vec::new();
        if self.all {
            for name in scenario::embedded::names() {
                scenarios.push(scenario::embedded(name)?);
            }
        }
        for name in &self.scenarios {
            let scenario = scenario::find(name)?;
            if scenario.only_checks() {
                return Err(WrongInput(format!(
                    "{name} has no load and no target: it only checks recorded traces; use tracelab check \
                     FILE… --expect {name}, or give it a load",
                    name = Plain(name)
                ))
                .into());
            }
            scenarios.push(scenario);
        }
        SetParameter::apply_all(&self.set, &mut scenarios)?;
        let repeated = scenarios.iter().enumerate().find(|(place, scenario)| {
            let before = &scenarios[..*place];
            before.iter().any(|other| other.name == scenario.name)
        });
        let lacking = scenarios.iter().find(|scenario| {
            let has = |phase: &PhaseArg| match phase {
                PhaseArg::Faulty => true,
                PhaseArg::Twin => scenario.twin.is_some(),
                PhaseArg::NearMiss => scenario.near_miss.is_some(),
            };
            !self.only.is_empty() && !self.only.iter().any(has)
        });
        if let Some(scenario) = lacking.filter(|_| !self.all) {
            return Err(WrongInput(format!(
                "the scenario {} has no twin and no near miss; leave out --only",
                scenario.name
            ))
            .into());
        }
        match repeated {
            Some((_, scenario)) => Err(WrongInput(format!(
                "two of the scenarios are called {}; a name stands for one",
                scenario.name
            ))
            .into()),
            None => Ok(scenarios),
        }
    }

    /// Checks the Collectors of `--via`: each must accept its set-up. Returns them with their effect on the
    /// traces that pass through them; `None` without `--via`.
    async fn via(
        &self,
        scenarios: &[Scenario],
    ) -> anyhow::Result<Option<(Collectors, CollectorEffect)>> {
        let Some(path) = &self.via else {
            return Ok(None);
        };
        let of_others = |scenario: &&Scenario| scenario.target != Target::Shop;
        if let Some(scenario) = scenarios.iter().find(of_others) {
            return Err(WrongInput(format!(
                "the scenario {} has a target of its own, which sends its telemetry where it likes; --via \
                 is for the lab's shop",
                scenario.name
            ))
            .into());
        }
        let setup = Setup::open(path)?;
        let program = Program::find(self.collector.as_deref())?;
        for file in setup.files() {
            program.check(file).await?;
        }
        let effect = setup.effect()?;
        let absolute = |path: &Path| std::path::absolute(path);
        let (file, gateway) = match &setup {
            Setup::One(file) => (absolute(file)?, None),
            Setup::Tiers { agent, gateway } => (absolute(agent)?, Some(absolute(gateway)?)),
        };
        let collectors = Collectors {
            program: absolute(program.path())?,
            file,
            gateway,
        };
        Ok(Some((collectors, effect)))
    }

    /// The backend that the services export to, and that traces are read from; `None` without `--backend`.
    async fn backend(&self, scenarios: &[Scenario]) -> anyhow::Result<Option<Backend>> {
        let Some(kind) = self.backend.backend.clone() else {
            return Ok(None);
        };
        let of_others = |scenario: &&Scenario| scenario.target != Target::Shop;
        if let Some(scenario) = scenarios.iter().find(of_others) {
            return Err(WrongInput(format!(
                "the scenario {} has a target of its own, which sends its telemetry where it likes; --backend is for \
                 the lab's shop",
                scenario.name
            ))
            .into());
        }
        if self.lab.is_some() || self.via.is_some() {
            return Err(WrongInput(
                "--backend cannot be combined with --lab or --via; for a Collector in front of the backend, --otlp is its \
                 address"
                    .to_owned(),
            )
            .into());
        }
        let backend = self.backend.open(kind, None).await?;
        if self.backend.ca.is_some() && backend.targets.iter().any(::validate::Target::is_tls) {
            return Err(WrongInput(
                "--ca: the services of the shop trust the certificates of the machine alone; --otlp may name a Collector \
                 without TLS in front of the backend"
                    .to_owned(),
            )
            .into());
        }
        Ok(Some(backend))
    }

    async fn settings(
        &self,
        via: Option<(Collectors, CollectorEffect)>,
        backend: Option<Backend>,
    ) -> anyhow::Result<Settings> {
        let (collectors, effect) = via.unzip();
        let phases: Vec<Phase> = match self.only.as_slice() {
            [] => Phase::ALL.to_vec(),
            only => only.iter().map(|phase| Phase::from(*phase)).collect(),
        };
        Ok(Settings {
            lab: match &self.lab {
                Some(page) => LabChoice::Running(page.clone()),
                None => LabChoice::Private(Box::new(Config {
                    ports: Ports::Free,
                    collectors,
                    otlp: backend.as_ref().map(Backend::export),
                    extra_env: backend.as_ref().map(Backend::variables).unwrap_or_default(),
                    ..self.shop.config().await?
                })),
            },
            backend: backend.map(|backend| backend.reader),
            collector_effect: effect.unwrap_or(CollectorEffect::NONE),
            phases,
            overrides: Overrides {
                requests: self.requests,
                users: self.users,
            },
            patience: Duration::from_secs(self.patience),
            seed: self.seed,
            side_by_side: SIDE_BY_SIDE,
            as_written: self.users.is_none() && self.lab.is_none() && self.shop.is_textbook(),
            receiver: (self.otlp_grpc, self.otlp_http),
            out: self.out.clone().map(|path| OutFolder {
                path,
                kept: self.traces.into(),
            }),
        })
    }
}

// === impl Kept ===

impl From<TracesArg> for Kept {
    fn from(traces: TracesArg) -> Kept {
        match traces {
            TracesArg::Failed => Kept::Failed,
            TracesArg::All => Kept::All,
        }
    }
}

// === impl Phase ===

impl From<PhaseArg> for Phase {
    fn from(phase: PhaseArg) -> Phase {
        match phase {
            PhaseArg::Faulty => Phase::Faulty,
            PhaseArg::Twin => Phase::Twin,
            PhaseArg::NearMiss => Phase::NearMiss,
        }
    }
}

fn print(args: &Args, finished: &[Finished], report: &Report) -> anyhow::Result<()> {
    let text = match args.format {
        ReportFormat::Text => text(args, finished, report),
        ReportFormat::Json => format!("{}\n", serde_json::to_string(report)?),
        ReportFormat::Junit => runner::junit(finished),
        ReportFormat::Markdown => runner::markdown(finished),
    };
    screen::print_result(&text)
}

/// Renders the report. Stories and traces are shown for scenarios that were chosen by name; for all scenarios
/// the text would be too long.
fn text(args: &Args, finished: &[Finished], report: &Report) -> String {
    let style = screen::style();
    let texts = finished
        .iter()
        .map(|scenario| runner::text(scenario, !args.all, &style));
    let mut text = texts
        .collect::<Vec<_>>()
        .join(if args.all { "" } else { "\n" });
    if finished.len() > 1 || report.unsupported() > 0 {
        text.push('\n');
        text.push_str(&runner::summary(report, finished.len()));
    }
    text
}
