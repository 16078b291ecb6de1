//! `tracelab order`: one more order in a running lab, and its trace.

use std::{io::Write, num::NonZeroUsize};

use ::trace::Trace;
use anyhow::Context;
use faults::{Faults, Setting};
use runner::Placed;

use crate::{
    arguments::at_least_one,
    exit::Outcome,
    lab::LabArgs,
    screen::{self, Format},
};

/// Place one order in a running lab, and show its trace.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab order
  tracelab order --fault 'slow-provider;latency_ms=800'
  tracelab order --lines 200 --fault n-plus-one --format json")]
pub(crate) struct Args {
    #[command(flatten)]
    lab: LabArgs,

    /// How many lines the cart has.
    #[arg(long, value_name = "N", default_value = "3", value_parser = at_least_one)]
    lines: NonZeroUsize,

    /// Switch a fault on for this order: NAME or NAME;PARAMETER=VALUE; may be given more than once.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Setting>,

    /// What is printed: the waterfall, or {"trace_id", "order_id", "status"}.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let faults: Faults = args.fault.iter().cloned().collect();
    let order = serde_json::json!({ "lines": args.lines, "faults": faults.to_json() });
    let placed: Placed = args.lab.post("/api/orders", &order).await?;
    let text = match args.format {
        Format::Json => format!("{}\n", serde_json::to_string(&placed)?),
        Format::Text => waterfall(&args.lab, &placed).await?,
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("standard output cannot be written")?;
    Ok(Outcome::Passed)
}

async fn waterfall(lab: &LabArgs, placed: &Placed) -> anyhow::Result<String> {
    if let Some(endpoint) = lab.describe().await?.exports_to {
        return Ok(format!(
            "The order was placed; its spans go to {endpoint}, and not to the sink (trace {}).\n",
            placed.trace_id
        ));
    }
    let trace = Trace::new(placed.trace_id, lab.spans(placed.trace_id).await?);
    Ok(::trace::waterfall::render(&trace, &screen::style()))
}
