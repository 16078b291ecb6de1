//! `tracelab load`: keeps a running lab busy, with no expectations.

use std::{
    io::{IsTerminal, Write},
    num::NonZeroUsize,
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::Context;
use loadgen::{Journey, Load, Outcome as Driven, Plan, Progress, Rate, Recording};

use crate::{
    exit::{Outcome, WrongInput},
    lab::LabArgs,
    screen::Format,
    up,
};

/// How often the progress is said where there is no terminal, and shown where there is one.
const PLAIN: Duration = Duration::from_secs(10);
const TERMINAL: Duration = Duration::from_millis(200);

/// A year: what "forever" comes to.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Keep the shop of a running lab busy.
///
/// With --rate, orders come on a schedule however long the ones before them take; with --users, each
/// user orders again as soon as the last order is answered. Ctrl-C ends it with the report.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab load --rate 5/s --duration 1h
  tracelab load --users 20 --duration 30s --format json
  tracelab load --rate 2/s --duration forever")]
pub(crate) struct Args {
    #[command(flatten)]
    lab: LabArgs,

    /// How many orders start in a second, such as 5/s or 300/m. The default is 1/s.
    #[arg(long, value_name = "N/s", conflicts_with = "users")]
    rate: Option<Rate>,

    /// How many users order one after the other.
    #[arg(long, value_name = "N")]
    users: Option<NonZeroUsize>,

    /// How long, such as 90s, 10m, 1h, or forever.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = duration)]
    duration: Duration,

    /// How many lines each cart has.
    #[arg(long, value_name = "N", default_value = "3")]
    lines: NonZeroUsize,

    /// Decides what is bought: equal seeds fill equal carts.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// How the report is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let stop = up::cancelled_by_signals()?;
    let lab = args.lab.describe().await?;
    let rate = args
        .rate
        .unwrap_or(Rate::per_second(1.0).expect("1 a second is a rate"));
    let plan = Plan {
        target: lab
            .services
            .get("checkout")
            .context("the lab has no checkout")?
            .url
            .parse()?,
        journey: Journey {
            cart_lines: args.lines,
            coupon: true,
        },
        load: match args.users {
            Some(users) => Load::ClosedFor {
                users,
                duration: args.duration,
            },
            None => Load::Open {
                rate,
                duration: args.duration,
            },
        },
        seed: args.seed,
        patience: Duration::from_secs(30),
    };
    let recording = Recording {
        keep: false,
        journal: None,
    };
    let driven = loadgen::drive(plan, recording, show_progress(), stop).await?;
    let text = match args.format {
        Format::Text => text(&driven),
        Format::Json => format!("{}\n", serde_json::to_string(&document(&driven))?),
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("the report cannot be printed")?;
    let Progress {
        refused,
        unanswered,
        never_started,
        ..
    } = driven.progress;
    Ok(if refused + unanswered + never_started == 0 {
        Outcome::Passed
    } else {
        Outcome::Failed
    })
}

fn show_progress() -> impl Fn(&Progress, &loadgen::Line) + Send + Sync + 'static {
    let terminal = std::io::stderr().is_terminal();
    let (every, end) = if terminal {
        (TERMINAL, "\r")
    } else {
        (PLAIN, "\n")
    };
    let last = Mutex::new(Instant::now());
    move |so_far, _| {
        let Ok(mut last) = last.lock() else { return };
        if last.elapsed() >= every {
            *last = Instant::now();
            let failed = so_far.refused + so_far.unanswered + so_far.never_started;
            eprint!("{} orders, {failed} requests failed{end}", so_far.orders);
        }
    }
}

fn text(driven: &Driven) -> String {
    let Progress {
        succeeded,
        refused,
        unanswered,
        never_started,
        orders,
    } = driven.progress;
    let mut text = format!(
        "{orders} orders in {:.1} s\n  requests {succeeded} succeeded, {refused} refused, \
         {unanswered} unanswered, {never_started} never started\n",
        driven.elapsed.as_secs_f64()
    );
    if let Some(latency) = &driven.checkout {
        text.push_str(&format!(
            "  checkout p50 {:.0} ms, p90 {:.0} ms, p99 {:.0} ms, max {:.0} ms\n",
            ms(latency.p50),
            ms(latency.p90),
            ms(latency.p99),
            ms(latency.max)
        ));
    }
    text
}

/// The document of `tracelab run`, with no expectations: a load passes if every request did.
fn document(driven: &Driven) -> serde_json::Value {
    let Progress {
        succeeded,
        refused,
        unanswered,
        never_started,
        orders,
    } = driven.progress;
    let failed = refused + unanswered + never_started;
    let verdict = if failed == 0 { "pass" } else { "fail" };
    let latency = driven.checkout.as_ref().map(|latency| {
        serde_json::json!({
            "p50": ms(latency.p50), "p90": ms(latency.p90), "p99": ms(latency.p99),
        })
    });
    serde_json::json!({
        "verdict": verdict,
        "scenarios": [{
            "name": "load",
            "phase": "faulty",
            "verdict": verdict,
            "requests": {
                "succeeded": succeeded,
                "refused": refused,
                "unanswered": unanswered,
                "never_started": never_started,
            },
            "orders": orders,
            "elapsed_ms": ms(driven.elapsed),
            "stopped": driven.stopped,
            "latency_ms": latency,
        }],
    })
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn duration(text: &str) -> Result<Duration, WrongInput> {
    if text == "forever" {
        return Ok(FOREVER);
    }
    let wrong = || {
        WrongInput("a time is a number and a unit, such as 90s, 10m or 1h, or forever".to_owned())
    };
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - unit.len_utf8()]
        .trim()
        .parse()
        .map_err(|_| wrong())?;
    match number.checked_mul(seconds).filter(|&seconds| seconds > 0) {
        Some(seconds) => Ok(Duration::from_secs(seconds).min(FOREVER)),
        None => Err(wrong()),
    }
}
