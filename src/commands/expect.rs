//! `tracelab expect from TRACE`: writes the expectation that a trace fulfils.

use ::trace::Trace;

use crate::{
    exit::{Outcome, WrongInput},
    screen,
    traces::TraceArgs,
};

/// Write expectations.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Expect {
    From(FromArgs),
}

/// Write the `expect:` block that a trace fulfils: a start for a scenario of your own.
///
/// Values that differ from trace to trace are left out: durations, ids, addresses.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab expect from 4bf92f3577b34da6a3ce929d0e0e4736
  tracelab expect from --file recorded.otlp.json > expect.yaml")]
pub(crate) struct FromArgs {
    #[command(flatten)]
    from: TraceArgs,
}

pub(crate) async fn main(expect: Expect) -> anyhow::Result<Outcome> {
    let Expect::From(args) = expect;
    let trace = only_one(args.from.traces().await?)?;
    screen::print(::expect::derive(&trace))?;
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
