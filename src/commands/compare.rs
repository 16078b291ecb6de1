//! `tracelab compare A B`: the differences between two traces, or two sets of traces.

use ::diagnose::compare;

use crate::{
    exit::Outcome,
    lab::LabArgs,
    memory_arg::ReadingArg,
    screen::{self, Format},
    traces,
};

/// Compare two traces, or two sets of traces: which spans appeared, vanished, became slower, and how much
/// of the change of the whole each explains.
///
/// A and B are each the id of a trace of a running lab, a file of traces, or a list of these, separated by
/// commas.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab compare 4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7a3ce929d0e0e4736
  tracelab compare before.otlp.json after.otlp.json --format json
  tracelab compare twin/1.otlp.json,twin/2.otlp.json faulty/1.otlp.json,faulty/2.otlp.json")]
pub(crate) struct Args {
    /// The traces before the change: ids or files, separated by commas.
    #[arg(value_name = "A")]
    before: String,

    /// The traces after the change: ids or files, separated by commas.
    #[arg(value_name = "B")]
    after: String,

    #[command(flatten)]
    lab: LabArgs,

    #[command(flatten)]
    memory: ReadingArg,

    /// The format of the comparison.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let names = |list: &str| list.split(',').map(str::to_owned).collect::<Vec<_>>();
    let before = traces::read(&names(&args.before), &args.lab, &args.memory).await?;
    let after = traces::read(&names(&args.after), &args.lab, &args.memory).await?;
    let comparison = compare::compare_each(before.each(), after.each())?;
    let text = match args.format {
        Format::Text => compare::text(&comparison),
        Format::Json => format!("{}\n", serde_json::to_string(&comparison)?),
    };
    screen::print(&text)?;
    Ok(Outcome::Passed)
}
