//! The parts of a scenario: the fault itself, its twin, its near miss.

use faults::{Faults, Need, Reach};
use loadgen::{Plan, Stage, Weighted};
use reqwest::Url;
use scenario::{Expectation, FindingWant, Scenario, Variant};
use serde::Serialize;

use std::{
    fmt,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

/// How long a customer waits for a reply.
const CUSTOMER_PATIENCE: Duration = Duration::from_secs(30);

/// The part of a scenario that was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The scenario itself, with its faults if it has any.
    Faulty,
    /// The same load without the fault.
    Twin,
    /// What looks alike and is healthy.
    NearMiss,
}

/// What is asked of the user's own: in place of what the scenario says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides {
    /// How many requests each phase makes.
    pub requests: Option<u64>,
    /// How many users there are at a time.
    pub users: Option<NonZeroUsize>,
}

/// A part of a scenario, with all that is said of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'s> {
    pub(crate) scenario: &'s Scenario,
    pub(crate) phase: Phase,
    pub(crate) faults: &'s Faults,
    /// What each trace must look like, besides being silent where it is a variant.
    pub(crate) own: Option<&'s Expectation>,
    findings: Option<&'s [FindingWant]>,
    journeys: &'s [scenario::Weighted],
    load: &'s scenario::Load,
    needs: Option<Need>,
}

// === impl Phase ===

impl Phase {
    /// All of them, in the order in which they are run.
    pub const ALL: [Phase; 3] = [Phase::Faulty, Phase::Twin, Phase::NearMiss];

    /// The word for it on the command line and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Faulty => "faulty",
            Phase::Twin => "twin",
            Phase::NearMiss => "near-miss",
        }
    }

    /// Whether it must not look as the scenario expects.
    pub fn is_silent(self) -> bool {
        self != Phase::Faulty
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

// === impl Part ===

impl<'s> Part<'s> {
    /// This part of the scenario, if it has it.
    pub(crate) fn of(scenario: &'s Scenario, phase: Phase) -> Option<Part<'s>> {
        let variant = match phase {
            Phase::Faulty => None,
            Phase::Twin => Some(scenario.twin.as_ref()?),
            Phase::NearMiss => Some(scenario.near_miss.as_ref()?),
        };
        let of = |variant: Option<&'s Variant>| variant.and_then(|variant| variant.faults.as_ref());
        Some(Part {
            scenario,
            phase,
            faults: of(variant).unwrap_or(&scenario.faults),
            own: match phase {
                Phase::Faulty => Some(&scenario.expect),
                _ => variant.and_then(|variant| variant.expect.as_ref()),
            },
            findings: match variant {
                None => scenario.findings.as_deref(),
                Some(variant) => variant.findings.as_deref(),
            },
            journeys: variant
                .and_then(|variant| variant.journeys.as_deref())
                .unwrap_or(&scenario.journeys),
            load: variant
                .and_then(|variant| variant.load.as_ref())
                .unwrap_or(&scenario.load),
            needs: variant.and_then(|variant| variant.needs).or(scenario.needs),
        })
    }

    /// What it cannot do without and where that is asked for, if the lab does not have it.
    pub(crate) fn lacks(&self, database: Option<Need>) -> Option<String> {
        let of_fault = self
            .faults
            .iter()
            .filter_map(|setting| Some((setting.fault().name, setting.fault().needs?)))
            .next();
        let (who, need) = match (of_fault, self.needs) {
            (Some((fault, need)), _) => (format!("the fault {fault}"), need),
            (None, Some(need)) => ("it".to_owned(), need),
            (None, None) => return None,
        };
        let lacking = Some(need) != database;
        lacking.then(|| {
            format!("{who} needs {need}; this lab runs on SQLite, which has one lock for all")
        })
    }

    /// What the diagnosis must report of it; `None` if nothing is said.
    pub(crate) fn findings(&self) -> Option<&'s [FindingWant]> {
        self.findings
    }

    /// Whether requests beside it are touched by its faults: then it must run alone.
    pub(crate) fn touches_others(&self) -> bool {
        self.faults
            .iter()
            .any(|setting| setting.fault().reach == Reach::Everyone)
    }

    /// What the load generator is to do for it.
    pub(crate) fn plan(&self, target: Url, seed: u64, overrides: Overrides) -> Plan {
        Plan {
            target,
            journeys: self.journeys.iter().map(journey).collect(),
            load: load(self.load, overrides),
            baggage: self.faults.to_header(),
            seed,
            patience: CUSTOMER_PATIENCE,
        }
    }
}

fn journey(weighted: &scenario::Weighted) -> Weighted {
    let journey = match &weighted.journey {
        scenario::Journey::Order(order) => loadgen::Journey::Order(loadgen::Order {
            cart_lines: several(order.cart_lines),
            skus: order.skus.clone(),
            coupon: order.coupon,
        }),
        scenario::Journey::Requests(requests) => {
            let request = |request: &scenario::Request| loadgen::Request {
                method: request.method.clone(),
                path: request.path.clone(),
                headers: request.headers.clone(),
                body: request.body.clone(),
            };
            loadgen::Journey::Requests(requests.iter().map(request).collect())
        }
    };
    Weighted {
        weight: NonZeroU32::new(weighted.weight).unwrap_or(NonZeroU32::MIN),
        journey,
    }
}

fn load(own: &scenario::Load, overrides: Overrides) -> loadgen::Load {
    let users = |own: u32| overrides.users.unwrap_or(several(own));
    match own {
        scenario::Load::Closed {
            requests,
            users: of,
            ramp,
        } => loadgen::Load::Closed {
            users: users(*of),
            requests: overrides.requests.unwrap_or(*requests),
            ramp: *ramp,
        },
        scenario::Load::ClosedFor {
            users: of,
            duration,
            ramp,
        } => match overrides.requests {
            Some(requests) => loadgen::Load::Closed {
                users: users(*of),
                requests,
                ramp: *ramp,
            },
            None => loadgen::Load::ClosedFor {
                users: users(*of),
                duration: *duration,
                ramp: *ramp,
            },
        },
        scenario::Load::Open { stages, arrivals } => match (overrides.users, overrides.requests) {
            // Users make a closed load of it.
            (Some(users), Some(requests)) => loadgen::Load::Closed {
                users,
                requests,
                ramp: Duration::ZERO,
            },
            (Some(users), None) => loadgen::Load::ClosedFor {
                users,
                duration: stages.iter().map(|stage| stage.duration).sum(),
                ramp: Duration::ZERO,
            },
            (None, requests) => loadgen::Load::Open {
                stages: stages_for(stages, requests),
                arrivals: match arrivals {
                    scenario::Arrivals::Constant => loadgen::Arrivals::Constant,
                    scenario::Arrivals::Poisson => loadgen::Arrivals::Poisson,
                },
            },
        },
    }
}

/// The stages, made longer or shorter so that they amount to so many requests.
fn stages_for(own: &[scenario::Stage], requests: Option<u64>) -> Vec<Stage> {
    let rate = |rate: scenario::Rate| {
        loadgen::Rate::in_stage(rate.per_second()).expect("it was checked when it was read")
    };
    let total: f64 = own
        .iter()
        .map(|stage| {
            (stage.from.per_second() + stage.to.per_second()) / 2.0 * stage.duration.as_secs_f64()
        })
        .sum();
    let stretch = requests.map_or(1.0, |requests| requests as f64 / total.max(1e-9));
    own.iter()
        .map(|stage| Stage {
            from: rate(stage.from),
            to: rate(stage.to),
            duration: stage.duration.mul_f64(stretch),
        })
        .collect()
}

fn several(number: u32) -> NonZeroUsize {
    NonZeroUsize::new(usize::try_from(number).unwrap_or(usize::MAX)).unwrap_or(NonZeroUsize::MIN)
}
