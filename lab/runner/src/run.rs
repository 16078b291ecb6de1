//! Runs one scenario in a lab of its own, from the first process to the verdict.

use std::{num::NonZeroUsize, time::Duration};

use loadgen::{Journey, Load, Outcome, Plan, Recording};
use reqwest::Url;
use scenario::Scenario;
use supervisor::{Config, Counts, Flushed, Lab, Part};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::{judge::Judgement, report::ScenarioReport, settle::settle};

/// How a scenario is run.
#[derive(Debug)]
pub struct Settings {
    /// The lab that is started for it.
    pub lab: Config,
    /// In place of the scenario's own number of requests.
    pub requests: Option<u64>,
    /// In place of the scenario's own number of users.
    pub users: Option<NonZeroUsize>,
    /// How long traces may take to settle once the load is over.
    pub patience: Duration,
    /// Decides what is bought.
    pub seed: u64,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    /// The lab is up.
    Ready,
    /// So many orders were placed of those planned (if their number is known).
    Driving {
        /// Placed so far.
        orders: u64,
        /// Planned in all.
        planned: Option<u64>,
    },
    /// So many traces are settled of those to be judged.
    Settling {
        /// Settled so far.
        settled: usize,
        /// To be judged in all.
        of: usize,
    },
}

/// A run that came to a verdict.
#[derive(Debug)]
pub struct Finished {
    /// The verdict and its numbers.
    pub report: ScenarioReport,
    /// What they were counted from.
    pub judgement: Judgement,
    /// What the load generator did.
    pub load: Outcome,
}

/// Why there is no verdict.
#[derive(Debug, Error)]
pub enum RunError {
    /// The lab could not be started.
    #[error(transparent)]
    Lab(#[from] supervisor::Error),
    /// The load could not be driven.
    #[error(transparent)]
    Load(#[from] loadgen::Error),
}

/// Runs a scenario. `progress` is told how far it has come; `events` what the processes of the lab
/// said and did. When `stop` is cancelled, what was asked until then is judged.
pub async fn run(
    scenario: &Scenario,
    settings: Settings,
    progress: impl Fn(Progress) + Clone + Send + Sync + 'static,
    events: impl Fn(supervisor::Event) + Send + Sync + 'static,
    stop: CancellationToken,
) -> Result<Finished, RunError> {
    let Settings {
        lab,
        requests,
        users,
        patience,
        seed,
    } = settings;
    let (lab, mut told) = Lab::start(lab).await?;
    let listening = tokio::spawn(async move {
        while let Some(event) = told.next().await {
            events(event);
        }
    });
    progress(Progress::Ready);
    let plan = Plan {
        target: checkout_url(&lab),
        journey: journey(scenario),
        load: load(&scenario.load, requests, users),
        seed,
        patience: Duration::from_secs(30),
    };
    let planned = plan.load.journeys();
    let driving = {
        let progress = progress.clone();
        move |so_far: &loadgen::Progress, _: &loadgen::Line| {
            progress(Progress::Driving {
                orders: so_far.orders,
                planned,
            });
        }
    };
    let recording = Recording {
        keep: true,
        journal: None,
    };
    let driven = loadgen::drive(plan, recording, driving, stop).await;
    let load = match driven {
        Ok(load) => load,
        Err(error) => {
            lab.stop().await;
            let _ = listening.await;
            return Err(error.into());
        }
    };

    let checkouts = load
        .lines
        .iter()
        .filter(|line| line.step == loadgen::Step::Checkout)
        .count();
    settle(
        &load.lines,
        &scenario.expect,
        lab.store(),
        patience,
        || async { drop(lab.flush().await) },
        |settled| {
            progress(Progress::Settling {
                settled,
                of: checkouts,
            })
        },
    )
    .await;
    let dropped = dropped_spans(&lab).await;
    let judgement = Judgement::new(load.lines.clone(), &scenario.expect, lab.store());
    lab.stop().await;
    // It ends with the lab; a panic of the one who is told has been shown already.
    let _ = listening.await;
    let report = ScenarioReport::new(&scenario.name, &judgement, load.checkout, dropped);
    Ok(Finished {
        report,
        judgement,
        load,
    })
}

fn journey(scenario: &Scenario) -> Journey {
    let order = match &scenario.journeys[0].journey {
        scenario::Journey::Order(order) => order.clone(),
        scenario::Journey::Requests(_) => scenario::Order::default(),
    };
    let lines = usize::try_from(order.cart_lines).unwrap_or(usize::MAX);
    Journey {
        cart_lines: NonZeroUsize::new(lines).unwrap_or(NonZeroUsize::MIN),
        coupon: order.coupon,
    }
}

fn load(own: &scenario::Load, requests: Option<u64>, users: Option<NonZeroUsize>) -> Load {
    let several = |users: u32| {
        NonZeroUsize::new(usize::try_from(users).unwrap_or(usize::MAX)).unwrap_or(NonZeroUsize::MIN)
    };
    match own {
        scenario::Load::Closed {
            requests: own_requests,
            users: own_users,
            ..
        } => Load::Closed {
            users: users.unwrap_or(several(*own_users)),
            requests: requests.unwrap_or(*own_requests),
        },
        scenario::Load::ClosedFor {
            users: own_users,
            duration,
            ..
        } => {
            let users = users.unwrap_or(several(*own_users));
            match requests {
                Some(requests) => Load::Closed { users, requests },
                None => Load::ClosedFor {
                    users,
                    duration: *duration,
                },
            }
        }
        scenario::Load::Open { stages, .. } => {
            let rate = loadgen::Rate::per_second(stages[0].to.per_second())
                .expect("a scenario's rate is checked when it is read");
            Load::Open {
                rate,
                duration: stages[0].duration,
            }
        }
    }
}

/// Where the lab's shop takes orders.
pub(crate) fn checkout_url(lab: &Lab) -> Url {
    let address = lab
        .address(Part::Checkout)
        .expect("every lab that was started has a checkout");
    format!("http://{address}")
        .parse()
        .expect("an address makes a URL")
}

/// Spans that ended in a service, as far as the services know, and are not in the sink.
async fn dropped_spans(lab: &Lab) -> u64 {
    let lost = |flushed: Flushed| match flushed.counts {
        Ok(Counts {
            dropped,
            failed,
            queued,
            ..
        }) => dropped + failed + queued,
        // What a process that is gone had not exported is not counted, but seen: a trace is short.
        Err(_) => 0,
    };
    let in_services: u64 = lab.flush().await.into_iter().map(lost).sum();
    let in_sink = lab.store().stats().spans;
    in_services + in_sink.evicted + in_sink.refused
}
