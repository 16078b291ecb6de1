//! `tracelab run SCENARIO`: a private lab, the scenario's load, and a verdict on every trace.

use std::{
    io::{IsTerminal, Write},
    num::NonZeroUsize,
    time::Duration,
};

use anyhow::Context;
use expect::Verdict;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use runner::{Finished, Progress, Report, Settings};
use supervisor::{Config, Ports};

use crate::{
    exit::Outcome,
    screen::{self, Format},
    up::{ShopArgs, cancelled_by_signals, tell_above},
};

/// Drive the shop with a scenario, and check every trace that comes out.
///
/// A private lab is started on free ports, so several runs can go side by side. The exit code is 0
/// if all passed, 1 if an expectation failed, 2 if the input was wrong, 3 if the environment failed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tracelab run checkout
  tracelab run checkout --requests 1000 --users 50 --pace none
  tracelab run ./my-scenario.yaml --format json")]
pub(crate) struct Args {
    /// The name of a scenario that comes with tracelab, or the path of a file.
    scenario: String,

    /// How many orders, in place of the scenario's own number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,

    /// How many users at a time, in place of the scenario's own number.
    #[arg(long, value_name = "N")]
    users: Option<NonZeroUsize>,

    #[command(flatten)]
    shop: ShopArgs,

    /// How long traces may take to settle once the load is over, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    patience: u64,

    /// Decides what is bought: equal seeds fill equal carts.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// How the report is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) async fn main(args: Args) -> anyhow::Result<Outcome> {
    let scenario = scenario::find(&args.scenario)?;
    let lab = Config {
        ports: Ports::Free,
        ..args.shop.config()?
    };
    let settings = Settings {
        lab,
        requests: args.requests,
        users: args.users,
        patience: Duration::from_secs(args.patience),
        seed: args.seed,
    };
    let stop = cancelled_by_signals()?;
    let bar = progress_bar();
    let finished = runner::run(
        &scenario,
        settings,
        show(bar.clone()),
        tell_above(bar.clone()),
        stop,
    )
    .await?;
    bar.finish_and_clear();
    print(&args, &scenario.title, finished)
}

fn print(args: &Args, title: &str, finished: Finished) -> anyhow::Result<Outcome> {
    let Finished {
        report, judgement, ..
    } = finished;
    let text = match args.format {
        Format::Text => report.text(title, &judgement, &screen::style()),
        Format::Json => {
            let mut text = serde_json::to_string(&Report::new(vec![report.clone()]))?;
            text.push('\n');
            text
        }
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("the report cannot be printed")?;
    Ok(match report.verdict {
        Verdict::Fail => Outcome::Failed,
        Verdict::Pass | Verdict::Unsupported => Outcome::Passed,
    })
}

/// A bar on a terminal; elsewhere [`show`] prints plain lines.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let template = "{msg:<24} {wide_bar} {pos}/{len}";
    bar.set_style(ProgressStyle::with_template(template).expect("the template is well formed"));
    bar
}

fn show(bar: ProgressBar) -> impl Fn(Progress) + Clone + Send + Sync + 'static {
    let terminal = std::io::stderr().is_terminal();
    move |progress| match progress {
        Progress::Ready if terminal => bar.set_message("placing orders"),
        Progress::Ready => eprintln!("the lab is up; placing orders"),
        Progress::Driving { orders, planned } => {
            if let Some(planned) = planned {
                bar.set_length(planned);
            }
            bar.set_position(orders);
        }
        Progress::Settling { settled, of } => {
            bar.set_message("waiting for traces");
            bar.set_length(of as u64);
            bar.set_position(settled as u64);
            if !terminal && settled == of {
                eprintln!("{of} traces are settled");
            }
        }
    }
}
