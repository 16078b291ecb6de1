//! `tracelab load`: keeps a running lab busy, without expectations.

use std::{
    fs::File,
    io::{BufWriter, IsTerminal, Write},
    num::NonZeroUsize,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use faults::{Faults, Setting};
use loadgen::{LoadProgress, OrderJourney, Plan, Recording};
use parking_lot::Mutex;
use plain::Plain;
use schedule::{Arrivals, Load, Rate, Stage, parse_load_duration};

use crate::{
    arguments::at_least_one,
    exit::{Outcome, WrongInput},
    lab::LabArgs,
    screen::{self, Format},
    stop,
};

/// The time between two lines of progress without a terminal; below, the time between two updates on a
/// terminal.
const PLAIN: Duration = Duration::from_secs(10);
const TERMINAL: Duration = Duration::from_millis(200);

/// Keep the shop of a running lab busy.
///
/// With --rate, orders start on a schedule, even if earlier orders are still running; with --users, each user
/// orders again as soon as the last order is answered. Ctrl-C ends the load and prints the report.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab load --rate 5/s --duration 1h
  tracelab load --users 20 --duration 30s --format json
  tracelab load --rate 2/s --duration forever
  tracelab load --stages 0-10/s:10s,10/s:1m,10/s-0:10s --arrivals poisson
  tracelab load --rate 5/s --fault 'slow-provider;latency_ms=800' --ledger ledger.jsonl")]
pub(crate) struct Args {
    #[command(flatten)]
    lab: LabArgs,

    /// The number of orders that start in a second, such as 5/s or 300/m. The default is 1/s.
    #[arg(long, value_name = "N/s", conflicts_with = "users")]
    rate: Option<Rate>,

    /// The course of the rate, in place of --rate: RATE:TIME, or FROM-TO:TIME, one after another.
    #[arg(long, value_name = "STAGE", value_delimiter = ',', conflicts_with_all = ["users", "rate", "duration"])]
    stages: Vec<Stage>,

    /// The distribution of the times between orders.
    #[arg(long, value_enum, default_value_t, conflicts_with = "users")]
    arrivals: ArrivalsArg,

    /// The number of users, each of whom places one order after the other.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    users: Option<NonZeroUsize>,

    /// The total number of orders, in place of --duration.
    #[arg(long, value_name = "N", requires = "users", conflicts_with = "duration",
        value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,

    /// The time until all users are there, or until the rate is reached.
    #[arg(long, value_name = "TIME", value_parser = parse_load_duration, conflicts_with = "stages")]
    ramp: Option<Duration>,

    /// The length of the load, such as 90s, 10m, 1h, or forever.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = parse_load_duration)]
    duration: Duration,

    /// The number of lines of each cart.
    #[arg(long, value_name = "N", default_value = "3", value_parser = at_least_one)]
    lines: NonZeroUsize,

    /// Use a discount code in each order.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    coupon: bool,

    /// Switch a fault on for these orders: NAME or NAME;PARAMETER=VALUE; may be given more than once.
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Setting>,

    /// The seed that decides which products are bought: equal seeds fill equal carts.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Write the ledger into this file: one line of JSON for each request.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,

    /// Let goose write its own report into this file, as HTML.
    #[arg(long, value_name = "FILE.html", value_parser = html)]
    report: Option<PathBuf>,

    /// The format of the report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The distribution of the times between orders, as an argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum ArrivalsArg {
    /// Equal times between orders.
    #[default]
    Constant,
    /// Random times between orders, as with independent customers.
    Poisson,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    if !args.stages.is_empty() && schedule::total(&args.stages) == 0.0 {
        bail!(WrongInput(
            "--stages: no order is due when every rate is 0; a stage is RATE:TIME or FROM-TO:TIME, such as \
             5/s:10s or 5/s-20/s:10s"
                .to_owned()
        ));
    }
    let stop = stop::on_signals()?;
    let lab = args.lab.describe().await?;
    let order = OrderJourney {
        cart_lines: args.lines,
        coupon: args.coupon,
        ..OrderJourney::default()
    };
    let faults = Faults::of(args.fault.iter().cloned()).context("--fault")?;
    let plan = Plan {
        target: lab
            .services
            .get("checkout")
            .context("the lab has no checkout")?
            .url
            .parse()?,
        journeys: vec![order.into()],
        load: args.load(),
        baggage: faults.to_header(),
        seed: args.seed,
        patience: Duration::from_secs(30),
    };
    let recording = Recording {
        keep: false,
        journal: args.journal()?,
        report: args.report.clone(),
    };
    let driven = loadgen::drive(plan, recording, show_progress(), stop.token().clone());
    let driven = tokio::select! {
        driven = driven => driven?,
        () = stop.over() => {
            stderr::say("the load was stopped, and did not come to its end in time: there is no report");
            return Ok(Outcome::Interrupted);
        }
    };
    let text = match args.format {
        Format::Text => driven.text(),
        Format::Json => format!("{}\n", driven.to_json()),
    };
    screen::print_result(&text)?;
    Ok(match driven.progress.failed() {
        0 => Outcome::Passed,
        _ => Outcome::Failed,
    })
}

// === impl Args ===

impl Args {
    fn load(&self) -> Load {
        let ramp = self.ramp.unwrap_or_default();
        match (self.users, self.requests) {
            (Some(users), Some(requests)) => Load::Closed {
                users,
                requests,
                ramp,
            },
            (Some(users), None) => Load::ClosedFor {
                users,
                duration: self.duration,
                ramp,
            },
            (None, _) => Load::Open {
                stages: self.stages(ramp),
                arrivals: match self.arrivals {
                    ArrivalsArg::Constant => Arrivals::Constant,
                    ArrivalsArg::Poisson => Arrivals::Poisson,
                },
            },
        }
    }

    fn stages(&self, ramp: Duration) -> Vec<Stage> {
        if !self.stages.is_empty() {
            return self.stages.clone();
        }
        let rate = self
            .rate
            .unwrap_or(Rate::of(1.0).expect("1 a second is a rate"));
        let ramp = ramp.min(self.duration);
        // The ramp is part of the duration.
        let stages = [
            Stage::ramp(rate, ramp),
            Stage::steady(rate, self.duration - ramp),
        ];
        let stages = stages.into_iter();
        stages.filter(|stage| !stage.duration.is_zero()).collect()
    }

    fn journal(&self) -> anyhow::Result<Option<Box<dyn Write + Send>>> {
        let Some(path) = &self.ledger else {
            return Ok(None);
        };
        let file = File::create(path).map_err(|error| {
            WrongInput(format!(
                "{}: cannot be written: {error}",
                Plain(path.display())
            ))
        })?;
        Ok(Some(Box::new(BufWriter::new(file))))
    }
}

fn html(text: &str) -> Result<PathBuf, WrongInput> {
    let path = PathBuf::from(text);
    match path
        .extension()
        .is_some_and(|extension| extension == "html")
    {
        true => Ok(path),
        false => Err(WrongInput(
            "goose's report is HTML: give a file that ends in .html".to_owned(),
        )),
    }
}

fn show_progress() -> impl Fn(&LoadProgress, &loadgen::Line) + Send + Sync + 'static {
    let terminal = std::io::stderr().is_terminal();
    let (every, end) = if terminal {
        (TERMINAL, "\r")
    } else {
        (PLAIN, "\n")
    };
    let last = Mutex::new(Instant::now());
    move |so_far, _| {
        let mut last = last.lock();
        if last.elapsed() >= every {
            *last = Instant::now();
            let failed = so_far.failed();
            let line = format!("{} orders, {failed} requests failed{end}", so_far.orders);
            stderr::write(line.into_bytes());
        }
    }
}
