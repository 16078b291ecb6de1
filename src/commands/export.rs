//! `tracelab export TRACE…`: writes traces as OTLP.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use ::trace::{Fidelity, Trace, otlp};
use anyhow::Context;
use plain::Plain;

use crate::{exit::Outcome, lab::LabArgs, memory_arg::ReadingArg, screen, traces};

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
    let mut out = match &args.out {
        Some(path) => {
            let file = File::create(path);
            Some((file.with_context(|| cannot_be_written(path))?, path))
        }
        None => None,
    };
    for trace in traces.each() {
        let trace = trace?;
        let bytes = match args.format {
            Encoding::Json => line(&trace).into_bytes(),
            // Messages of protobuf one behind the other are one message.
            Encoding::Proto => otlp::to_protobuf(trace.spans()),
        };
        match &mut out {
            Some((file, path)) => {
                let done = file.write_all(&bytes);
                done.with_context(|| cannot_be_written(path))?;
            }
            None => screen::print(bytes)?,
        }
        written += 1;
        as_text += usize::from(is_text(&trace));
    }
    if as_text > 0 {
        eprintln!(
            "note: the source has lower-case names and every value as text; so has what is written of {as_text} \
             of {written} traces"
        );
    }
    Ok(Outcome::Passed)
}

fn cannot_be_written(path: &Path) -> String {
    format!("{} cannot be written", Plain(path.display()))
}

/// A trace as a line of OTLP/JSON.
pub(crate) fn line(trace: &Trace) -> String {
    format!("{}\n", otlp::to_json(trace.spans()))
}

fn is_text(trace: &Trace) -> bool {
    let mut spans = trace.spans().iter();
    spans.any(|span| span.fidelity == Fidelity::Text)
}
