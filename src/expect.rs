//! `tracelab expect from TRACE`: the expectation that a trace fulfils.

use std::{io::Write, path::PathBuf};

use ::trace::{Trace, TraceId, tree};
use anyhow::Context;

use crate::{
    exit::{Outcome, WrongInput},
    lab::LabArgs,
    trace::from_file,
};

/// Write expectations.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Expect {
    From(FromArgs),
}

/// Write the `expect:` block that a trace fulfils: a start for a scenario of your own.
///
/// What is different in each trace is left open: durations, ids, addresses.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab expect from 4bf92f3577b34da6a3ce929d0e0e4736
  tracelab expect from --file recorded.otlp.json > expect.yaml")]
pub(crate) struct FromArgs {
    /// The id of a trace of a running lab: 32 hexadecimal digits.
    #[arg(
        required_unless_present = "file",
        conflicts_with = "file",
        value_name = "ID"
    )]
    id: Option<TraceId>,

    /// A trace file with one trace in it: OTLP, Jaeger's JSON or Zipkin's; - is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    #[command(flatten)]
    lab: LabArgs,
}

pub(crate) async fn main(expect: Expect) -> anyhow::Result<Outcome> {
    let Expect::From(args) = expect;
    let trace = match (&args.id, &args.file) {
        (Some(id), _) => Trace::new(*id, args.lab.spans(*id).await?),
        (None, Some(path)) => only_one(tree::group(from_file(path)?))?,
        (None, None) => return Err(WrongInput("no trace is named".to_owned()).into()),
    };
    std::io::stdout()
        .write_all(::expect::derive(&trace).as_bytes())
        .context("standard output cannot be written")?;
    Ok(Outcome::Passed)
}

fn only_one(mut traces: Vec<Trace>) -> anyhow::Result<Trace> {
    match traces.len() {
        1 => Ok(traces.remove(0)),
        count => Err(WrongInput(format!(
            "there are {count} traces in the file; an expectation is written from one"
        ))
        .into()),
    }
}
