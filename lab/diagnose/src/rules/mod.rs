//! The rules, a file each.

mod abandoned_work;
mod blocked_runtime;
mod broken_propagation;
mod chatty;
mod clock_skew;
mod deadline_exceeded;
mod deadlock;
mod duplicate_spans;
mod error;
mod leaked_secret;
mod lost_context;
mod messages;
mod n_plus_one;
mod orphan_spans;
mod partial_trace;
mod queue_delay;
mod retry_storm;
mod sequential_calls;
mod slow_external;
mod slow_query;
mod span_flood;
mod unbounded_names;
mod waits;
mod wrong_parent;

use std::collections::BTreeMap;

use crate::{
    counted,
    finding::{Finding, Looks, Rule},
    run::Run,
    thresholds::Thresholds,
    view::View,
};

pub(crate) use self::retry_storm::went_well_later;

/// All rules, in the order of the book.
pub static RULES: [&Rule; 26] = [
    &n_plus_one::RULE,
    &sequential_calls::RULE,
    &chatty::RULE,
    &slow_query::RULE,
    &slow_external::RULE,
    &waits::LOCK,
    &waits::POOL,
    &blocked_runtime::RULE,
    &deadlock::RULE,
    &retry_storm::RULE,
    &abandoned_work::RULE,
    &deadline_exceeded::RULE,
    &error::RULE,
    &queue_delay::RULE,
    &messages::REDELIVERY,
    &messages::DEAD_LETTER,
    &broken_propagation::RULE,
    &lost_context::RULE,
    &partial_trace::RULE,
    &orphan_spans::RULE,
    &wrong_parent::RULE,
    &clock_skew::RULE,
    &duplicate_spans::RULE,
    &unbounded_names::RULE,
    &span_flood::RULE,
    &leaked_secret::RULE,
];

/// The rule of a name.
pub fn rule(name: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.name == name)
}

/// What the rules that look at one trace find on it.
pub(crate) fn at_a_trace(view: &View<'_>, limits: &Thresholds) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in RULES {
        if let Looks::AtATrace(look) = &rule.looks {
            look(view, limits, &mut found);
        }
    }
    found
}

/// What the rules that look at all traces together find, beside what was found on each trace.
pub(crate) fn at_the_run(run: &Run<'_>, mut found: Vec<Vec<Finding>>) -> Vec<Vec<Finding>> {
    for rule in RULES {
        if let Looks::AtTheRun(look) = &rule.looks {
            look(run, &mut |trace, finding| found[trace].push(finding));
        }
    }
    found.iter_mut().for_each(bound);
    found
}

/// How many findings of one rule a trace has at most: what is wrong a thousand times is said a few times.
const MOST: usize = 100;

/// Joins findings of one rule when there are too many.
fn bound(findings: &mut Vec<Finding>) {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len().min(MOST));
    for finding in findings.drain(..) {
        let (count, last) = counts.entry(finding.rule.name).or_default();
        *count += 1;
        if *count <= MOST {
            *last = kept.len();
            kept.push(finding);
        } else {
            kept[*last].spans.extend(finding.spans);
            kept[*last].cost += finding.cost;
        }
    }
    for (count, last) in counts.into_values().filter(|(count, _)| *count > MOST) {
        let more = count - MOST;
        kept[last]
            .evidence
            .push_str(&format!(" And so {} more.", counted(more, "time")));
        kept[last].facts.insert("more", more.into());
    }
    *findings = kept;
}
