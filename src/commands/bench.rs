//! `tracelab bench`: what a collector, or any OTLP receiver, does to spans at a rate.

mod args;
mod files;
mod progress;

use std::time::Duration;

use ::bench::{
    arm::{Harm, Live, Settings},
    cores::Cores,
    document::Document,
    report,
    sut::{RunningSut, SutSpec},
    verbs::{self, Bench as Benchmark},
};
use anyhow::{Context, bail};
use firehose::{Policy, Protocol};
use plain::Plain;

use self::{
    args::{
        AbArgs, BenchFormat, CapacityArgs, ChaosArgs, CommonArgs, CpusArg, HarmArg, Keep,
        ProtocolArg, RateArgs, Returns, SamplingArgs, SoakArgs, SpikeArgs,
    },
    progress::Screen,
};
use crate::{
    exit::{Invalid, Outcome, WrongInput},
    screen, stop,
};

/// Find out what a collector, or any OTLP receiver, does to spans: throughput, CPU and memory a span, latency, and the
/// fate of every single span.
///
/// The system under test (SUT) is a command line (--sut) or a program that runs already (--target). Without one it is the
/// receiving end of the benchmark itself, which shows the limit of this machine. Spans go from the generator through
/// the SUT to the receiving end, which knows each by its ids; a SUT that stores them has --return none.
///
/// Exit codes: 0 all was as required, 1 a requirement does not hold, 2 wrong input, 3 the result is INVALID, or something
/// did not start, 130 interrupted.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  tracelab bench rate                                  the limit of this machine
  tracelab bench rate --sut 'otelcol --config collector-config/base.yaml' --rate 20k/s
  tracelab bench capacity --sut 'otelcol --config collector-config/base.yaml' --limit 'loss=0' --limit 'p99<=500ms'
  tracelab bench ab --sut 'otelcol --config a.yaml' --with 'otelcol --config b.yaml' --rate 20k/s
  tracelab bench chaos --sut 'otelcol --config c.yaml' --rate 10k/s --harm kill-sut
  tracelab bench rate --target grpc://127.0.0.1:4317 --return none --rate 5k/s --require 'refused=0'")]
pub(crate) enum Bench {
    Rate(RateArgs),
    Capacity(CapacityArgs),
    Ab(AbArgs),
    Soak(SoakArgs),
    Spike(SpikeArgs),
    Chaos(ChaosArgs),
    Sampling(SamplingArgs),
    Record(files::RecordArgs),
    Report(files::ReportArgs),
    Merge(files::MergeArgs),
}

// === impl Bench ===

pub(crate) async fn main(bench: Bench) -> anyhow::Result<Outcome> {
    let (common, kind) = match &bench {
        Bench::Record(args) => return files::record(args).await,
        Bench::Report(args) => return files::report(args),
        Bench::Merge(args) => return files::merge(args),
        Bench::Rate(args) => (&args.common, "rate"),
        Bench::Capacity(args) => (&args.common, "capacity"),
        Bench::Ab(args) => (&args.common, "ab"),
        Bench::Soak(args) => (&args.common, "soak"),
        Bench::Spike(args) => (&args.common, "spike"),
        Bench::Chaos(args) => (&args.common, "chaos"),
        Bench::Sampling(args) => (&args.common, "sampling"),
    };
    for path in common.out.iter().chain(&common.html) {
        screen::can_be_written(path)?;
    }
    let screen = Screen::new();
    let live = |label: &str, live: &Live| screen.live(label, live);
    let say = |text: &str| screen.say(text);
    let stop = stop::on_signals_within(Duration::from_secs(60))?;
    let benchmark = common
        .benchmark(kind, &live, &say, stop.token().clone())
        .await?;
    let document = run(&bench, benchmark).await;
    screen.end();
    let document = document.map_err(|error| {
        let is_of_input = error.is_of_input();
        let error = anyhow::Error::from(error);
        match is_of_input {
            true => WrongInput(format!("{error:#}")).into(),
            false => error,
        }
    })?;
    common.finish(&document)
}

async fn run(bench: &Bench, benchmark: Benchmark<'_>) -> Result<Document, verbs::BenchError> {
    let warm_up = |common: &CommonArgs| common.warm_up;
    match bench {
        Bench::Rate(args) => {
            let plan = verbs::RatePlan {
                rate: args.rate.0,
                time: args.duration,
                warm_up: warm_up(&args.common),
            };
            verbs::rate(&benchmark, &plan).await
        }
        Bench::Capacity(args) => {
            let default = || ["loss=0", "p99<=1s"].map(|text| text.parse().expect("it is one"));
            let plan = verbs::CapacityPlan {
                limits: match args.limit.is_empty() {
                    true => default().into(),
                    false => args.limit.clone(),
                },
                start: args.start,
                precision: args.precision,
                confirmations: args.confirmations,
                time: args.duration,
                warm_up: warm_up(&args.common),
            };
            verbs::capacity(&benchmark, &plan).await
        }
        Bench::Ab(args) => {
            let plan = verbs::AbPlan {
                b: match &args.with {
                    Some(command) => SutSpec::Command(command.clone()),
                    None => benchmark.sut.clone(),
                },
                rate: args.rate.0,
                blocks: args.blocks as usize,
                time: args.duration / (4 * args.blocks),
                warm_up: warm_up(&args.common),
                confidence: args.confidence,
            };
            verbs::ab(&benchmark, &plan).await
        }
        Bench::Soak(args) => {
            let plan = verbs::SoakPlan {
                rate: args.rate,
                time: args.duration,
                warm_up: warm_up(&args.common),
            };
            verbs::soak(&benchmark, &plan).await
        }
        Bench::Spike(args) => {
            let before = args.duration / 3;
            let plan = verbs::SpikePlan {
                rate: args.rate,
                factor: args.factor,
                before,
                burst: args.burst,
                after: args.duration.saturating_sub(before + args.burst),
                warm_up: warm_up(&args.common),
            };
            verbs::spike(&benchmark, &plan).await
        }
        Bench::Chaos(args) => {
            let plan = verbs::ChaosPlan {
                rate: args.rate,
                time: args.duration,
                warm_up: warm_up(&args.common),
                harm: match args.harm {
                    HarmArg::KillSut => Harm::KillSut,
                    HarmArg::PauseSut => Harm::PauseSut,
                    HarmArg::KillSink => Harm::KillSink,
                    HarmArg::PauseSink => Harm::PauseSink,
                },
                pause: args.pause,
            };
            verbs::chaos(&benchmark, &plan).await
        }
        Bench::Sampling(args) => {
            let plan = verbs::SamplingPlan {
                rate: args.rate,
                time: args.duration,
                policy: Policy {
                    keeps_errors: args.keep.contains(&Keep::Errors),
                    keeps_slow: args.keep.contains(&Keep::Slow),
                },
                share: args.rest,
            };
            verbs::sampling(&benchmark, &plan).await
        }
        Bench::Record(_) | Bench::Report(_) | Bench::Merge(_) => {
            unreachable!("they are no benchmarks")
        }
    }
}

// === impl CommonArgs ===

impl CommonArgs {
    async fn benchmark<'a>(
        &self,
        kind: &str,
        live: &'a (dyn Fn(&str, &Live) + Sync),
        say: &'a (dyn Fn(&str) + Sync),
        stop: tokio_util::sync::CancellationToken,
    ) -> anyhow::Result<Benchmark<'a>> {
        let sut = self.sut()?;
        let protocol = match &sut {
            SutSpec::Running(running) => running.target().protocol(),
            _ => match self.protocol {
                ProtocolArg::Grpc => Protocol::Grpc,
                ProtocolArg::Http => Protocol::Http1,
                ProtocolArg::H2 => Protocol::Http2,
            },
        };
        let returns = self.returns == Returns::Otlp;
        if let SutSpec::Running(_) = sut
            && returns
        {
            bail!(WrongInput(
                "--target: a SUT that runs already does not know where the receiving end is; give --return none, or start \
                 the SUT with --sut"
                    .to_owned()
            ));
        }
        if let SutSpec::Command(command) = &sut {
            command
                .check(protocol, returns)
                .await
                .map_err(|error| match error.is_of_input() {
                    true => anyhow::Error::from(WrongInput(format!("--sut: {error}"))),
                    false => error.into(),
                })?;
        }
        let cores = match self.cpus {
            CpusArg::Auto => Cores::choose(),
            CpusArg::None => None,
            CpusArg::These(cores) => {
                cores
                    .check()
                    .map_err(|error| WrongInput(format!("--cpus: {error}")))?;
                Some(cores)
            }
        };
        let version = concat!("tracelab ", env!("CARGO_PKG_VERSION"));
        let environment = ::bench::environment::read(version.to_owned(), cores);
        if let Some(cores) = cores {
            ::bench::cores::pin_this_process(cores.own)
                .context("this process cannot stay on a core")?;
        }
        let mut workload = self.workload.workload(1)?;
        if kind == "sampling" && workload.errors == 0.0 && workload.slow == 0.0 {
            // A sampler without errors and slow traces would not be tried.
            (workload.errors, workload.slow) = (0.05, 0.05);
        }
        // Refused here, before anything is started.
        firehose::Stream::new(&workload).map_err(|error| WrongInput(error.to_string()))?;
        let settle = self.settle.unwrap_or(match kind {
            "sampling" => Duration::from_secs(15),
            _ => Duration::from_secs(5),
        });
        Ok(Benchmark {
            settings: Settings {
                program: std::env::current_exe().context("the path of this program")?,
                cores,
                workload,
                protocol,
                packing: self.workload.packing(),
                spread: self.workload.spread(),
                connections: self.workload.connections(),
                in_flight: self.workload.in_flight(),
                retries: self.workload.retries(),
                returns,
                content: self.content.into(),
                settle,
                drain: Duration::from_secs(120),
            },
            sut,
            command: command_line(),
            environment,
            began: jiff::Timestamp::now().to_string(),
            requirements: self.require.clone(),
            live,
            say,
            stop,
        })
    }

    fn sut(&self) -> anyhow::Result<SutSpec> {
        Ok(match (&self.sut, &self.target) {
            (Some(command), _) => SutSpec::Command(command.clone()),
            (None, Some(target)) => {
                let running = RunningSut::new(target, self.pid);
                SutSpec::Running(running.map_err(|error| WrongInput(format!("--target: {error}")))?)
            }
            (None, None) => SutSpec::Sink,
        })
    }

    /// Prints and writes the result, and says how the command ends.
    fn finish(&self, document: &Document) -> anyhow::Result<Outcome> {
        let json = || serde_json::to_string(document).context("the document");
        screen::print_result(match self.format {
            BenchFormat::Json => json()? + "\n",
            BenchFormat::Text => report::text(document),
            BenchFormat::Markdown => report::markdown(document),
        })?;
        // The result is printed, whatever happens to the files.
        if let Some(path) = &self.out {
            write(path, json()? + "\n")?;
        }
        if let Some(path) = &self.html {
            write(path, report::html(document))?;
        }
        if !document.complete {
            return Ok(Outcome::Interrupted);
        }
        if !document.valid {
            bail!(Invalid(document.invalid_because.join("; ")));
        }
        let requirements = document.requirements.iter().all(|one| one.holds);
        let sampling = document.sampling.as_ref();
        let kept = sampling.is_none_or(|sampling| sampling.groups.iter().all(|group| group.holds));
        let found = document
            .capacity
            .as_ref()
            .is_none_or(|capacity| capacity.spans_per_second.is_some());
        Ok(match requirements && kept && found {
            true => Outcome::Passed,
            false => Outcome::Failed,
        })
    }
}

/// Writes a file of the result.
pub(super) fn write(path: &std::path::Path, text: String) -> anyhow::Result<()> {
    let name = Plain(path.display()).to_string();
    std::fs::write(path, text).with_context(|| format!("{name} cannot be written"))
}

/// The command line, as a shell takes it.
fn command_line() -> String {
    let mut words: Vec<String> = std::env::args().collect();
    if let Some(program) = words.first_mut() {
        *program = "tracelab".to_owned();
    }
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,%+@".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}
