//! `tracelab export TRACE…`: writes traces as OTLP.

use std::{
    fs::File,
    io::{self, Write},
    path::PathBuf,
};

use ::trace::{Fidelity, Trace, otlp};
use anyhow::Context;
use plain::Plain;

use crate::{exit::Outcome, lab::LabArgs, memory_arg::ReadingArg, traces};

/// Write traces as OTLP, which every command reads, and any OTLP backend.
///
/// A TRACE is the id of a trace of a running lab, or a file (OTLP as JSON or protobuf, Tempo's JSON, Jaeger's or
/// Zipkin's, also packed; - is standard input). Each trace is one line of OTLP/JSON, as the Collector's file
/// exporter writes it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab export 4bf92f3577b34da6a3ce929d0e0e4736 --out order.otlp.json
  tracelab export jaeger.json tempo.json > traces.otlp.jsonl
  tracelab export zipkin.json --format proto --out traces.pb")]
pub(crate) struct Args {
    /// Ids of traces, and files of traces.
    #[arg(required = true, value_name = "TRACE")]
    traces: Vec<String>,

    /// The file to write, in place of standard output. A file of that name is replaced.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// The encoding of OTLP.
    #[arg(long, value_enum, default_value_t)]
    format: Encoding,

    #[command(flatten)]
    lab: LabArgs,

    #[command(flatten)]
    memory: ReadingArg,
}

/// An encoding of OTLP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Encoding {
    /// OTLP/JSON, a line for each trace.
    #[default]
    Json,
    /// One protobuf message of all traces, as an exporter sends it.
    Proto,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let traces = traces::read(&args.traces, &args.lab, &args.memory).await?;
    traces.each_fits()?;
    let (mut written, mut as_text) = (0, 0);
    let (mut out, name): (Box<dyn Write>, String) = match &args.out {
        Some(path) => {
            let name = Plain(path.display()).to_string();
            let file = File::create(path);
            let file = file.with_context(|| format!("{name} cannot be written"))?;
            (Box::new(file), name)
        }
        None => (
            Box::new(std::io::stdout().lock()),
            "standard output".to_owned(),
        ),
    };
    for trace in traces.each() {
        let trace = trace?;
        let done = match args.format {
            Encoding::Json => line(&trace, &mut *out),
            // Messages of protobuf one behind the other are one message.
            Encoding::Proto => trace
                .spans()
                .chunks(AT_ONCE)
                .try_for_each(|spans| out.write_all(&otlp::to_protobuf(spans))),
        };
        done.with_context(|| format!("{name} cannot be written"))?;
        written += 1;
        as_text += usize::from(is_text(&trace));
    }
    out.flush()
        .with_context(|| format!("{name} cannot be written"))?;
    if as_text > 0 {
        eprintln!(
            "note: the source has lower-case names and every value as text; so has what is written of {as_text} \
             of {written} traces"
        );
    }
    Ok(Outcome::Passed)
}

/// The number of spans that are encoded at once.
const AT_ONCE: usize = 10_000;

/// Writes a trace as a line of OTLP/JSON.
pub(crate) fn line(trace: &Trace, to: &mut dyn Write) -> io::Result<()> {
    otlp::write_json(trace.spans(), to)?;
    to.write_all(b"\n")
}

fn is_text(trace: &Trace) -> bool {
    let mut spans = trace.spans().iter();
    spans.any(|span| span.fidelity == Fidelity::Text)
}
