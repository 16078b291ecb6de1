//! [`PhasePlan`]: the load and the wants of each phase of a scenario: the fault itself, its twin, its near
//! miss.

use faults::{Faults, Reach};
use loadgen::{Plan, Weighted};
use reqwest::Url;
use scenario::{Expectation, FindingWant, Need, Scenario, Variant};
use schedule::Load;

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use crate::{conditions::Conditions, phase::Phase};

/// The longest time that a customer waits for a reply.
const CUSTOMER_PATIENCE: Duration = Duration::from_secs(30);

/// Values of the user that replace those of the scenario.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides {
    /// The number of requests in each phase.
    pub requests: Option<u64>,
    /// The number of concurrent users.
    pub users: Option<NonZeroUsize>,
}

/// A phase of a scenario, with everything that the scenario says about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PhasePlan<'s> {
    pub(crate) scenario: &'s Scenario,
    pub(crate) phase: Phase,
    pub(crate) faults: &'s Faults,
    /// The expectation that the phase adds; a variant must also be silent.
    pub(crate) own: Option<&'s Expectation>,
    findings: Option<&'s [FindingWant]>,
    journeys: &'s [scenario::Weighted],
    load: &'s Load,
    needs: &'s [Need],
}

// === impl PhasePlan ===

impl<'s> PhasePlan<'s> {
    /// This phase of the scenario; `None` if the scenario does not have it, or only checks.
    pub(crate) fn of(scenario: &'s Scenario, phase: Phase) -> Option<PhasePlan<'s>> {
        let variant = match phase {
            Phase::Faulty => None,
            Phase::Twin => Some(scenario.twin.as_ref()?),
            Phase::NearMiss => Some(scenario.near_miss.as_ref()?),
        };
        let of = |variant: Option<&'s Variant>| variant.and_then(|variant| variant.faults.as_ref());
        Some(PhasePlan {
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
                .or(scenario.load.as_ref())?,
            needs: variant
                .and_then(|variant| variant.needs.as_deref())
                .unwrap_or(&scenario.needs),
        })
    }

    /// Why the phase cannot be run under these conditions, as text; `None` if it can be run.
    pub(crate) fn lacks(&self, conditions: Conditions) -> Option<String> {
        let of_faults = self.faults.iter().filter_map(|setting| {
            let fault = setting.fault();
            Some((
                format!("the fault {}", fault.name),
                Need::from(fault.needs?),
            ))
        });
        let mut needs: Vec<(String, Need)> = of_faults.collect();
        for need in self.needs {
            // Otherwise an earlier sentence has named this need already.
            if needs.iter().all(|(_, known)| known != need) {
                needs.push(("it".to_owned(), *need));
            }
        }
        conditions.who_lacks(&needs)
    }

    /// The findings that the diagnosis must report; `None` if the scenario says nothing about findings.
    pub(crate) fn findings(&self) -> Option<&'s [FindingWant]> {
        self.findings
    }

    /// Whether the faults of the phase act on requests of others too: then it must run alone.
    pub(crate) fn touches_others(&self) -> bool {
        self.faults
            .iter()
            .any(|setting| setting.fault().reach == Reach::Everyone)
    }

    /// The highest number of requests that the load makes; `None` if only time limits it.
    pub(crate) fn requests(&self, overrides: Overrides) -> Option<u64> {
        let load = self.load.clone().with(overrides.users, overrides.requests);
        let of = |weighted: &scenario::Weighted| match &weighted.journey {
            // A cart, then a checkout.
            scenario::Journey::Order(_) => 2,
            scenario::Journey::Requests(requests) => requests.len() as u64,
        };
        let most = self.journeys.iter().map(of).max().unwrap_or(0);
        Some(load.journeys()?.saturating_mul(most))
    }

    /// The plan for the load generator.
    pub(crate) fn plan(&self, target: Url, seed: u64, overrides: Overrides) -> Plan {
        Plan {
            target,
            journeys: self.journeys.iter().map(journey).collect(),
            load: self.load.clone().with(overrides.users, overrides.requests),
            baggage: self.faults.to_header(),
            seed,
            patience: CUSTOMER_PATIENCE,
        }
    }
}

fn journey(weighted: &scenario::Weighted) -> Weighted {
    let journey = match &weighted.journey {
        scenario::Journey::Order(order) => loadgen::Journey::Order(loadgen::OrderJourney {
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

fn several(number: u32) -> NonZeroUsize {
    NonZeroUsize::new(usize::try_from(number).unwrap_or(usize::MAX)).unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {

    use super::*;
    use protocol::{Database, Pace};

    const WITHOUT_PACE: Conditions = Conditions::Shop {
        database: Database::Sqlite,
        pace: Some(Pace::None),
    };
    const TEXTBOOK: Conditions = Conditions::Shop {
        database: Database::Sqlite,
        pace: Some(Pace::Textbook),
    };
    const NO_PACE: &str =
        "needs the textbook pace; this lab runs with --pace none: no step takes a simulated time";

    fn read(rest: &str) -> Scenario {
        let head =
            "name: x\ntitle: X\nload: { requests: 1, users: 1 }\nexpect: { trace: { roots: 1 } }\n";
        scenario::parse("x.yaml", &format!("{head}{rest}")).expect("it is a scenario")
    }

    /// What each phase lacks under these conditions.
    fn lacking(scenario: &Scenario, conditions: Conditions) -> [Option<String>; 3] {
        Phase::ALL.map(|phase| {
            let plan = PhasePlan::of(scenario, phase).expect("it has all phases");
            plan.lacks(conditions)
        })
    }

    #[test]
    fn variants_need_what_their_scenario_needs_unless_they_say_otherwise() {
        let scenario = read(
            "needs: textbook\ntwin: { journey: { cart-lines: 2 } }\n\
             near-miss: { journey: { cart-lines: 3 }, needs: [] }\n",
        );
        let it = Some(format!("it {NO_PACE}"));
        assert_eq!(lacking(&scenario, WITHOUT_PACE), [it.clone(), it, None]);
        assert_eq!(lacking(&scenario, TEXTBOOK), [None, None, None]);
    }

    #[test]
    fn a_fault_and_its_scenario_each_need_their_own() {
        let scenario = read(
            "faults: { deadlock: {} }\nneeds: [postgresql, textbook]\n\
             twin: { faults: {}, needs: [] }\nnear-miss: { journey: { cart-lines: 3 }, needs: [] }\n",
        );
        let fault = "the fault deadlock needs PostgreSQL; this lab runs on SQLite, which has one lock for all";
        assert_eq!(
            lacking(&scenario, WITHOUT_PACE),
            [
                Some(format!("{fault}. Besides, it {NO_PACE}")),
                None,
                Some(fault.to_owned()),
            ]
        );
    }
}
