//! `tracelab order`: places an order in a running lab, and shows its trace.

use std::num::NonZeroUsize;

use ::trace::Trace;
use anyhow::Context;
use faults::{Faults, Setting};
use plain::Plain;
use protocol::{MAX_ORDERS, OrderRequest, PlacedOrder, PlacedOrders};

use crate::{
    arguments::at_least_one,
    exit::{Outcome, WrongInput},
    lab::LabArgs,
    screen::{self, Format},
};

/// Place one order in a running lab, and show its trace.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab order
  tracelab order --fault 'slow-provider;latency_ms=800'
  tracelab order --fault n-plus-one                    with the 200 lines that it needs to be seen
  tracelab order --fault lock-contention --format json
  tracelab order --fault n-plus-one --lines 20 --fault card-declined

A fault takes what it needs to be seen: a cart of many lines, other orders at the same time, another
fault. What was taken is said. --lines and --orders set other numbers.")]
pub(crate) struct Args {
    #[command(flatten)]
    lab: LabArgs,

    /// The number of cart lines [default: as many as the faults need, otherwise 3].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    lines: Option<NonZeroUsize>,

    /// The number of orders that are placed at the same time [default: as many as the faults need, otherwise
    /// 1].
    #[arg(long, value_name = "N", value_parser = several)]
    orders: Option<NonZeroUsize>,

    /// Switch a fault on for this order: NAME or NAME;PARAMETER=VALUE; may be given more than once.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Setting>,

    /// What is printed: the waterfall of the order with the most findings, or {"trace_id", "order_id",
    /// "status", "others", "taken"}.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn several(text: &str) -> Result<NonZeroUsize, WrongInput> {
    at_least_one(text)
        .ok()
        .filter(|orders| orders.get() <= MAX_ORDERS)
        .ok_or_else(|| {
            WrongInput(format!(
                "it must be a whole number from 1 to {MAX_ORDERS}; tracelab load places more"
            ))
        })
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let faults = Faults::of(args.fault.iter().cloned()).context("--fault")?;
    let order = OrderRequest {
        lines: args.lines,
        orders: args.orders,
        faults,
    };
    let placed = args.lab.place_orders(&order).await?;
    let text = match args.format {
        Format::Json => format!("{}\n", serde_json::to_string(&placed)?),
        Format::Text => {
            let waterfall = waterfall(&args.lab, &placed.order).await?;
            format!("{}{waterfall}", company(&placed))
        }
    };
    screen::print(&text)?;
    Ok(Outcome::Passed)
}

async fn waterfall(lab: &LabArgs, placed: &PlacedOrder) -> anyhow::Result<String> {
    if let Some(endpoint) = lab.describe().await?.exports_to {
        return Ok(format!(
            "The order was placed; its spans go to {}, and not to the sink (trace {}).\n",
            Plain(endpoint),
            placed.trace_id
        ));
    }
    let trace = Trace::new(placed.trace_id, lab.spans(placed.trace_id).await?);
    Ok(waterfall::render(&trace, &screen::style()))
}

/// Lists the settings that the faults needed, and the other orders that were placed, one line each.
fn company(placed: &PlacedOrders) -> String {
    let mut text = String::new();
    if let Some(taken) = &placed.taken {
        let lines = taken.lines.map(|lines| format!("a cart of {lines} lines"));
        let orders = taken
            .orders
            .map(|orders| format!("{orders} orders at once"));
        let healthy = taken.healthy.map(|healthy| match healthy {
            1 => "an order without it".to_owned(),
            healthy => format!("{healthy} orders without it"),
        });
        let faults = taken
            .faults
            .iter()
            .map(|fault| format!("the fault {}", Plain(fault)));
        let all: Vec<String> = [lines, orders, healthy]
            .into_iter()
            .flatten()
            .chain(faults)
            .collect();
        text.push_str(&format!("To be seen, this needs {}.\n", all.join(" and ")));
    }
    for other in &placed.others {
        text.push_str(&format!("beside it: trace {}\n", other.trace_id));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}
