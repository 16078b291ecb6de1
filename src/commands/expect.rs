//! `tracelab expect from TRACE`: writes the expectation that a trace fulfils.

use ::trace::Trace;

use crate::{
    exit::{Outcome, WrongInput},
    screen,
    traces::{TraceArgs, Traces},
};

/// Write expectations.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Expect {
    From(FromArgs),
}

/// Write the `expect:` block that a trace fulfils: a start for a scenario of your own.
///
/// Values that differ from trace to trace are left out: durations, ids, addresses. `tracelab check` takes the
/// file as it is; to run it as a scenario, add a name, a title and a load. The trace may be of any system.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab expect from 4bf92f3577b34da6a3ce929d0e0e4736
  tracelab expect from recorded.otlp.json > expect.yaml
  tracelab check recorded.otlp.json --expect expect.yaml
  tracelab expect from 4bf92f3577b34da6a3ce929d0e0e4736 --file many.otlp.jsonl")]
pub(crate) struct FromArgs {
    #[command(flatten)]
    from: TraceArgs,
}

pub(crate) async fn main(expect: Expect) -> anyhow::Result<Outcome> {
    let Expect::From(args) = expect;
    let trace = only_one(&args.from.traces().await?)?;
    screen::print(::expect::derive(&trace))?;
    Ok(Outcome::Passed)
}

fn only_one(traces: &Traces) -> anyhow::Result<Trace> {
    match (traces.len(), traces.each().next()) {
        (1, Some(trace)) => trace,
        (0, _) | (_, None) => {
            Err(WrongInput("there is no span in what was named".to_owned()).into())
        }
        (count, _) => Err(WrongInput(format!(
            "there are {count} traces in the file; an expectation is written from one: tracelab expect from ID \
             --file FILE, with one of {}",
            traces.ids()
        ))
        .into()),
    }
}
