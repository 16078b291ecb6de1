//! The arguments of the kinds of benchmarks.

use std::{path::PathBuf, str::FromStr, time::Duration};

use ::bench::{cores::Cores, require::Requirement, sut::SutCommand};
use schedule::parse_duration;

use crate::{
    commands::{blast::RateArg, drain::ContentArg},
    workload_args::{WorkloadArgs, share, spans_per_second},
};

/// Load the SUT at one rate, or as fast as possible.
#[derive(Debug, clap::Args)]
pub(crate) struct RateArgs {
    /// Spans a second, such as 50000/s, 50k/s or 1.5M/s; max is as fast as the answers allow.
    #[arg(long, value_name = "N/s", default_value = "max")]
    pub(super) rate: RateArg,

    /// How long the load lasts.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = some_time)]
    pub(super) duration: Duration,

    #[command(flatten)]
    pub(super) common: CommonArgs,
}

/// Search the highest rate that holds limits.
#[derive(Debug, clap::Args)]
pub(crate) struct CapacityArgs {
    /// What must hold, as --require has it; may be given more than once. The default is loss=0 and p99<=1s.
    #[arg(long, value_name = "LIMIT")]
    pub(super) limit: Vec<Requirement>,

    /// The first rate that is tried.
    #[arg(long, value_name = "N/s", default_value = "10k/s", value_parser = spans_per_second)]
    pub(super) start: f64,

    /// How finely is searched.
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = open_share)]
    pub(super) precision: f64,

    /// How often the result must hold.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) confirmations: u32,

    /// How long each step lasts.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = some_time)]
    pub(super) duration: Duration,

    #[command(flatten)]
    pub(super) common: CommonArgs,
}

/// Compare two SUTs, loaded by turns: A B B A, and again.
#[derive(Debug, clap::Args)]
pub(crate) struct AbArgs {
    /// The other SUT, as --sut has it. Without it the SUT is compared with itself.
    #[arg(long, value_name = "COMMAND", value_parser = SutCommand::parse)]
    pub(super) with: Option<SutCommand>,

    /// Spans a second; max compares how much both can take.
    #[arg(long, value_name = "N/s", default_value = "10k/s")]
    pub(super) rate: RateArg,

    /// How many blocks of A B B A there are.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(3..))]
    pub(super) blocks: u32,

    /// How long all loads last together.
    #[arg(long, value_name = "TIME", default_value = "24s", value_parser = some_time)]
    pub(super) duration: Duration,

    /// The confidence of the interval.
    #[arg(long, value_name = "SHARE", default_value = "99%", value_parser = open_share)]
    pub(super) confidence: f64,

    #[command(flatten)]
    pub(super) common: CommonArgs,
}

/// Load the SUT for a long time, and see what grows.
#[derive(Debug, clap::Args)]
pub(crate) struct SoakArgs {
    /// Spans a second.
    #[arg(long, value_name = "N/s", default_value = "10k/s", value_parser = spans_per_second)]
    pub(super) rate: f64,

    /// How long the load lasts.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = some_time)]
    pub(super) duration: Duration,

    #[command(flatten)]
    pub(super) common: CommonArgs,
}

/// Load the SUT with a burst, and see when all is as before.
#[derive(Debug, clap::Args)]
pub(crate) struct SpikeArgs {
    /// Spans a second before and after the burst.
    #[arg(long, value_name = "N/s", default_value = "5k/s", value_parser = spans_per_second)]
    pub(super) rate: f64,

    /// How many times as much the burst is.
    #[arg(long, value_name = "N", default_value_t = 10.0, value_parser = above_zero)]
    pub(super) factor: f64,

    /// How long the burst is.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = some_time)]
    pub(super) burst: Duration,

    /// How long the load lasts: a third before the burst, the rest after it.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = some_time)]
    pub(super) duration: Duration,

    #[command(flatten)]
    pub(super) common: CommonArgs,
}

/// Kill or stop the SUT or the receiving end in the middle of a load, and see what survives.
#[derive(Debug, clap::Args)]
pub(crate) struct ChaosArgs {
    /// What happens, after a third of the time.
    #[arg(long, value_enum, default_value_t)]
    pub(super) harm: HarmArg,

    /// How long the process is away.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    pub(super) pause: Duration,

    /// Spans a second.
    #[arg(long, value_name = "N/s", default_value = "10k/s", value_parser = spans_per_second)]
    pub(super) rate: f64,

    /// How long the load lasts.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = some_time)]
    pub(super) duration: Duration,

    #[command(flatten)]
    pub(super) common: CommonArgs,
}

/// What happens to a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum HarmArg {
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
    pub(super) keep: Vec<Keep>,

    /// The share of the rest that ought to be kept.
    #[arg(long, value_name = "SHARE", default_value = "10%", value_parser = share)]
    pub(super) rest: f64,

    /// Spans a second.
    #[arg(long, value_name = "N/s", default_value = "5k/s", value_parser = spans_per_second)]
    pub(super) rate: f64,

    /// How long the load lasts.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = some_time)]
    pub(super) duration: Duration,

    #[command(flatten)]
    pub(super) common: CommonArgs,
}

/// A kind of trace that a sampler keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Keep {
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
    pub(super) sut: Option<SutCommand>,

    /// The SUT runs already, and receives here: grpc://HOST:PORT, http://HOST:PORT or h2://HOST:PORT.
    #[arg(long, value_name = "URL", help_heading = "System under test")]
    pub(super) target: Option<String>,

    /// The process id of a SUT that runs already, to measure its CPU and memory.
    #[arg(
        long,
        value_name = "PID",
        requires = "target",
        help_heading = "System under test"
    )]
    pub(super) pid: Option<u32>,

    /// Whether the SUT sends on what it receives: a SUT that runs already must send to no other place than the receiving
    /// end, so it has none.
    #[arg(
        long = "return",
        value_enum,
        value_name = "HOW",
        default_value_t,
        help_heading = "System under test"
    )]
    pub(super) returns: Returns,

    /// What of the content of spans must be as it was sent.
    #[arg(long, value_enum, default_value_t, help_heading = "System under test")]
    pub(super) content: ContentArg,

    /// The protocol that is sent: grpc, http (OTLP/HTTP by HTTP/1.1) or h2 (by HTTP/2).
    #[arg(long, value_enum, default_value_t, help_heading = "System under test")]
    pub(super) protocol: ProtocolArg,

    /// The cores of the SUT, and of generator and receiving end: 1,0. none keeps nothing apart.
    #[arg(long, value_name = "SUT,OWN", default_value = "auto")]
    pub(super) cpus: CpusArg,

    /// How long the SUT is loaded before, uncounted.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    pub(super) warm_up: Duration,

    /// How long nothing must have come before missing spans are lost.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(super) settle: Option<Duration>,

    /// What must hold, or the exit code is 1: such as loss=0, p99<=50ms, cpu<=2us, memory<=512MiB; may be given more than
    /// once.
    #[arg(long, value_name = "REQUIREMENT")]
    pub(super) require: Vec<Requirement>,

    #[command(flatten)]
    pub(super) workload: WorkloadArgs,

    /// Write the document of JSON into this file too.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,

    /// Write the result with plots into this file too: HTML that needs nothing else.
    #[arg(long, value_name = "FILE.html")]
    pub(super) html: Option<PathBuf>,

    /// The format of the result.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: BenchFormat,
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
pub(super) enum Returns {
    /// By OTLP, to the receiving end.
    #[default]
    Otlp,
    /// Not: what was accepted is not seen again.
    None,
}

/// A protocol of OTLP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ProtocolArg {
    #[default]
    Grpc,
    Http,
    H2,
}

/// Which cores are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CpusArg {
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

/// Reads a share that is neither nothing nor all.
fn open_share(text: &str) -> Result<f64, String> {
    match share(text) {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        Ok(_) => Err("it must be above 0 and below 100 %".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads a number above zero.
fn above_zero(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("it must be a number above 0".to_owned()),
    }
}

/// Reads a time that is not none.
fn some_time(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err("it must be longer than no time".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}
