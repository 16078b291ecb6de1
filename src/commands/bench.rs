//! `tracelab bench`: what a collector, or any OTLP receiver, does to spans at a rate.

use std::{io::IsTerminal, path::PathBuf, str::FromStr, time::Duration};

use ::bench::{
    arm::{Harm, Live, Settings},
    cores::Cores,
    document::Document,
    report,
    require::Requirement,
    sut::{RunningSut, SutCommand, SutSpec},
    verbs::{self, Bench as Benchmark},
};
use anyhow::{Context, bail};
use firehose::{Policy, Protocol};
use plain::Plain;
use schedule::parse_duration;

use crate::{
    commands::drain::ContentArg,
    exit::{Invalid, Outcome, WrongInput},
    screen, stop,
    workload_args::{WorkloadArgs, share, spans_per_second},
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
    Record(super::bench_files::RecordArgs),
    Report(super::bench_files::ReportArgs),
    Merge(super::bench_files::MergeArgs),
}

/// Load the SUT at one rate, or as fast as possible.
#[derive(Debug, clap::Args)]
pub(crate) struct RateArgs {
    /// Spans a second, such as 50000/s, 50k/s or 1.5M/s; max is as fast as the answers allow.
    #[arg(long, value_name = "N/s", default_value = "max")]
    rate: super::blast::RateArg,

    /// How long the load lasts.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    duration: Duration,

    #[command(flatten)]
    common: CommonArgs,
}

/// Search the highest rate that holds limits.
#[derive(Debug, clap::Args)]
pub(crate) struct CapacityArgs {
    /// What must hold, as --require has it; may be given more than once. The default is loss=0 and p99<=1s.
    #[arg(long, value_name = "LIMIT")]
    limit: Vec<Requirement>,

    /// The first rate that is tried.
    #[arg(long, value_name = "N/s", default_value = "10k/s", value_parser = spans_per_second)]
    start: f64,

    /// How finely is searched.
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = share)]
    precision: f64,

    /// How often the result must hold.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    confirmations: u32,

    /// How long each step lasts.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    duration: Duration,

    #[command(flatten)]
    common: CommonArgs,
}

/// Compare two SUTs, loaded by turns: A B B A, and again.
#[derive(Debug, clap::Args)]
pub(crate) struct AbArgs {
    /// The other SUT, as --sut has it. Without it the SUT is compared with itself.
    #[arg(long, value_name = "COMMAND", value_parser = SutCommand::parse)]
    with: Option<SutCommand>,

    /// Spans a second; max compares how much both can take.
    #[arg(long, value_name = "N/s", default_value = "10k/s")]
    rate: super::blast::RateArg,

    /// How many blocks of A B B A there are.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(3..))]
    blocks: u32,

    /// How long all loads last together.
    #[arg(long, value_name = "TIME", default_value = "24s", value_parser = parse_duration)]
    duration: Duration,

    /// The confidence of the interval.
    #[arg(long, value_name = "SHARE", default_value = "99%", value_parser = share)]
    confidence: f64,

    #[command(flatten)]
    common: CommonArgs,
}

/// Load the SUT for a long time, and see what grows.
#[derive(Debug, clap::Args)]
pub(crate) struct SoakArgs {
    /// Spans a second.
    #[arg(long, value_name = "N/s", default_value = "10k/s", value_parser = spans_per_second)]
    rate: f64,

    /// How long the load lasts.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_duration)]
    duration: Duration,

    #[command(flatten)]
    common: CommonArgs,
}

/// Load the SUT with a burst, and see when all is as before.
#[derive(Debug, clap::Args)]
pub(crate) struct SpikeArgs {
    /// Spans a second before and after the burst.
    #[arg(long, value_name = "N/s", default_value = "5k/s", value_parser = spans_per_second)]
    rate: f64,

    /// How many times as much the burst is.
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    factor: f64,

    /// How long the burst is.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = parse_duration)]
    burst: Duration,

    /// How long the load lasts: a third before the burst, the rest after it.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = parse_duration)]
    duration: Duration,

    #[command(flatten)]
    common: CommonArgs,
}

/// Kill or stop the SUT or the receiving end in the middle of a load, and see what survives.
#[derive(Debug, clap::Args)]
pub(crate) struct ChaosArgs {
    /// What happens, after a third of the time.
    #[arg(long, value_enum, default_value_t)]
    harm: HarmArg,

    /// How long the process is away.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    pause: Duration,

    /// Spans a second.
    #[arg(long, value_name = "N/s", default_value = "10k/s", value_parser = spans_per_second)]
    rate: f64,

    /// How long the load lasts.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = parse_duration)]
    duration: Duration,

    #[command(flatten)]
    common: CommonArgs,
}

/// What happens to a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum HarmArg {
    /// The SUT gets SIGKILL, and is started again.
    #[default]
    KillSut,
    /// The SUT gets SIGSTOP, and SIGCONT.
    PauseSut,
    /// The receiving end gets SIGKILL, and is started again.
    KillSink,
    /// The receiving end gets SIGSTOP, and SIGCONT.
    PauseSink,
}

/// Load a sampler, and see whether it keeps what it ought to.
#[derive(Debug, clap::Args)]
pub(crate) struct SamplingArgs {
    /// What must be kept; may be given more than once.
    #[arg(long, value_enum, value_name = "WHAT", default_values = ["errors", "slow"])]
    keep: Vec<Keep>,

    /// The share of the rest that ought to be kept.
    #[arg(long, value_name = "SHARE", default_value = "10%", value_parser = share)]
    rest: f64,

    /// Spans a second.
    #[arg(long, value_name = "N/s", default_value = "5k/s", value_parser = spans_per_second)]
    rate: f64,

    /// How long the load lasts.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    duration: Duration,

    #[command(flatten)]
    common: CommonArgs,
}

/// A kind of trace that a sampler keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Keep {
    /// Traces with an error.
    Errors,
    /// Traces that take longer than --slow-from.
    Slow,
    /// Nothing for sure.
    Nothing,
}

/// What all benchmarks have in common.
#[derive(Debug, clap::Args)]
pub(crate) struct CommonArgs {
    /// The SUT: a command line, without a shell. {in} is where it is to receive OTLP/gRPC, {in_http} OTLP/HTTP, {out} the
    /// receiving end, {dir} a folder of its own; the variables of collector-config/README.md are set too.
    #[arg(long, value_name = "COMMAND", value_parser = SutCommand::parse, conflicts_with = "target", help_heading = "System under test")]
    sut: Option<SutCommand>,

    /// The SUT runs already, and receives here: grpc://HOST:PORT, http://HOST:PORT or h2://HOST:PORT.
    #[arg(long, value_name = "URL", help_heading = "System under test")]
    target: Option<String>,

    /// The process id of a SUT that runs already, to measure its CPU and memory.
    #[arg(
        long,
        value_name = "PID",
        requires = "target",
        help_heading = "System under test"
    )]
    pid: Option<u32>,

    /// Whether the SUT sends on what it receives: a SUT that runs already must send to no other place than the receiving
    /// end, so it has none.
    #[arg(
        long = "return",
        value_enum,
        value_name = "HOW",
        default_value_t,
        help_heading = "System under test"
    )]
    returns: Returns,

    /// What of the content of spans must be as it was sent.
    #[arg(long, value_enum, default_value_t, help_heading = "System under test")]
    content: ContentArg,

    /// The protocol that is sent: grpc, http (OTLP/HTTP by HTTP/1.1) or h2 (by HTTP/2).
    #[arg(long, value_enum, default_value_t, help_heading = "System under test")]
    protocol: ProtocolArg,

    /// The cores of the SUT, and of generator and receiving end: 1,0. none keeps nothing apart.
    #[arg(long, value_name = "SUT,OWN", default_value = "auto")]
    cpus: CpusArg,

    /// How long the SUT is loaded before, uncounted.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    warm_up: Duration,

    /// How long nothing must have come before missing spans are lost.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    settle: Option<Duration>,

    /// What must hold, or the exit code is 1: such as loss=0, p99<=50ms, cpu<=2us, memory<=512MiB; may be given more than
    /// once.
    #[arg(long, value_name = "REQUIREMENT")]
    require: Vec<Requirement>,

    #[command(flatten)]
    workload: WorkloadArgs,

    /// Write the document of JSON into this file too.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write the result with plots into this file too: HTML that needs nothing else.
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,

    /// The format of the result.
    #[arg(long, value_enum, default_value_t)]
    format: BenchFormat,
}

/// The format of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum BenchFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON document on standard output.
    Json,
    /// For a summary of CI, or a page of documentation.
    Markdown,
}

/// Whether the SUT sends on what it receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Returns {
    /// By OTLP, to the receiving end.
    #[default]
    Otlp,
    /// Not: what was accepted is not seen again.
    None,
}

/// A protocol of OTLP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum ProtocolArg {
    #[default]
    Grpc,
    Http,
    H2,
}

/// Which cores are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CpusArg {
    Auto,
    None,
    These(Cores),
}

impl FromStr for CpusArg {
    type Err = String;

    fn from_str(text: &str) -> Result<CpusArg, String> {
        match text {
            "auto" => Ok(CpusArg::Auto),
            "none" => Ok(CpusArg::None),
            text => text
                .parse()
                .map(CpusArg::These)
                .map_err(|error: ::bench::cores::NoCores| error.to_string()),
        }
    }
}

// === impl Bench ===

pub(crate) async fn main(bench: Bench) -> anyhow::Result<Outcome> {
    let (common, kind) = match &bench {
        Bench::Record(args) => return super::bench_files::record(args).await,
        Bench::Report(args) => return super::bench_files::report(args),
        Bench::Merge(args) => return super::bench_files::merge(args),
        Bench::Rate(args) => (&args.common, "rate"),
        Bench::Capacity(args) => (&args.common, "capacity"),
        Bench::Ab(args) => (&args.common, "ab"),
        Bench::Soak(args) => (&args.common, "soak"),
        Bench::Spike(args) => (&args.common, "spike"),
        Bench::Chaos(args) => (&args.common, "chaos"),
        Bench::Sampling(args) => (&args.common, "sampling"),
    };
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
        if let Some(path) = &self.out {
            write(path, json()? + "\n")?;
        }
        if let Some(path) = &self.html {
            write(path, report::html(document))?;
        }
        screen::print_result(match self.format {
            BenchFormat::Json => json()? + "\n",
            BenchFormat::Text => report::text(document),
            BenchFormat::Markdown => report::markdown(document),
        })?;
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

/// Progress on standard error: a line that changes on a terminal, and otherwise only what is said.
struct Screen {
    bar: Option<indicatif::ProgressBar>,
}

// === impl Screen ===

impl Screen {
    fn new() -> Screen {
        Screen {
            bar: std::io::stderr()
                .is_terminal()
                .then(indicatif::ProgressBar::new_spinner),
        }
    }

    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(Plain(text).to_string()),
            None => stderr::say(Plain(text)),
        }
    }

    fn live(&self, label: &str, live: &Live) {
        let Some(bar) = &self.bar else { return };
        let sample = &live.sample;
        let state = match live.is_draining {
            true => "waiting for what is still to come".to_owned(),
            false => format!(
                "{:.0} of {:.0} s",
                live.at.as_secs_f64(),
                live.of.as_secs_f64()
            ),
        };
        bar.set_message(format!(
            "{label}: {state}; {:.0} spans/s sent, {:.0} arrived; SUT {:.0} % of a core, {:.0} MiB",
            sample.sent,
            sample.arrived,
            sample.sut_cpu * 100.0,
            sample.sut_bytes as f64 / 1_048_576.0
        ));
        bar.tick();
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
