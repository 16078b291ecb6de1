//! Finds the wants of a phase that cannot be judged.

use scenario::Need;

use super::latency;
use crate::{conditions::Conditions, plan::PhasePlan};

/// A sentence that names the wants of a phase that cannot be judged under these conditions, and the reason;
/// `None` if all can be judged.
pub(super) fn wants_that_lack(plan: PhasePlan<'_>, conditions: Conditions) -> Option<String> {
    let mut needs: Vec<(String, Need)> = Vec::new();
    for want in plan.findings().unwrap_or_default() {
        let who = format!("the finding {}", want.rule.name);
        needs.extend(want.needs.iter().map(|need| (who.clone(), *need)));
    }
    if !plan.phase.is_silent() {
        for want in &plan.scenario.latency {
            for who in latency::called(want) {
                needs.extend(want.needs.iter().map(|need| (who.clone(), *need)));
            }
        }
    }
    conditions.who_lacks(&needs)
}

#[cfg(test)]
mod tests {
    use scenario::Scenario;

    use super::*;
    use protocol::{Database, Pace};

    use crate::phase::Phase;

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

    #[test]
    fn single_wants_are_named_that_lack_something() {
        let scenario = read(
            "findings: [{ name: sequential-calls, needs: textbook }, chatty]\n\
             latency:\n  - { p50: \">= 2x twin\", p90: \">= 1ms\", needs: textbook }\n  \
             - { span: checkout process_order, p50: \">= 1ms\" }\n\
             twin: { journey: { cart-lines: 2 }, findings: [{ name: chatty, needs: textbook }] }\n",
        );
        let of = |phase, conditions| {
            let plan = PhasePlan::of(&scenario, phase).expect("it has the phase");
            assert_eq!(
                plan.lacks(conditions),
                None,
                "the phase itself needs nothing"
            );
            wants_that_lack(plan, conditions)
        };
        let need = NO_PACE.replacen("needs", "need", 1);
        assert_eq!(
            of(Phase::Faulty, WITHOUT_PACE),
            Some(format!(
                "the finding sequential-calls, the p50 of the request and the p90 of the request {need}"
            ))
        );
        assert_eq!(
            of(Phase::Twin, WITHOUT_PACE),
            Some(format!("the finding chatty {NO_PACE}"))
        );
        assert_eq!(of(Phase::Faulty, TEXTBOOK), None);
    }
}
