//! The rules, one file for each, and the catalogue that lists them.

mod abandoned_work;
mod blocked_runtime;
mod broken_propagation;
mod catalogue;
mod chatty;
mod clock_skew;
mod dead_letter;
mod deadline_exceeded;
mod deadlock;
mod duplicate_spans;
mod error;
mod leaked_secret;
mod lock_wait;
mod lost_context;
mod n_plus_one;
mod orphan_spans;
mod partial_trace;
mod pool_wait;
mod queue_delay;
mod redelivery;
mod retry_storm;
mod sequential_calls;
mod slow_external;
mod slow_query;
mod span_flood;
mod unbounded_names;
mod waits;
mod wrong_parent;

use std::collections::BTreeMap;

pub use self::catalogue::{catalogue, rule};
pub(crate) use self::unbounded_names::names_with_ids;
use crate::{
    facts::{run::RunFacts, view::View},
    finding::{Finding, Rule, Scope},
    format::plural,
    parallel,
    thresholds::Thresholds,
};

/// Applies the rules that need one trace.
pub(crate) fn detect_in_trace(view: &View<'_>, limits: &Thresholds) -> Vec<Finding> {
    if !parallel::is_large(view.len()) {
        let mut found = Vec::new();
        for rule in catalogue() {
            if let Scope::Trace(detect) = &rule.scope {
                detect(view, limits, &mut found);
            }
        }
        return found;
    }
    let by_rule = parallel::map(true, catalogue().collect(), |rule| {
        let mut found = Vec::new();
        if let Scope::Trace(detect) = &rule.scope {
            detect(view, limits, &mut found);
        }
        found
    });
    by_rule.into_iter().flatten().collect()
}

/// Applies the rules that need all traces; returns the findings of each trace, in the order of the catalogue.
pub(crate) fn detect_in_run(run: &RunFacts<'_>, many: bool) -> Vec<Vec<Finding>> {
    let mut by_trace = vec![Vec::new(); run.views.len()];
    let detect = |rule: &Rule, found: &mut dyn FnMut(usize, Finding)| {
        if let Scope::Run(detect) = &rule.scope {
            detect(run, found);
        }
    };
    if !many {
        for rule in catalogue() {
            detect(rule, &mut |trace, finding| by_trace[trace].push(finding));
        }
        return by_trace;
    }
    let by_rule = parallel::map(true, catalogue().collect(), |rule| {
        let mut found = Vec::new();
        detect(rule, &mut |trace, finding| found.push((trace, finding)));
        found
    });
    for (trace, finding) in by_rule.into_iter().flatten() {
        by_trace[trace].push(finding);
    }
    by_trace
}

/// The highest number of findings of one rule on a trace: the last finding counts the others.
const MOST: usize = 100;

/// Joins findings of one rule when there are too many.
pub(crate) fn bound(findings: &mut Vec<Finding>) {
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
            .push_str(&format!(" And so {} more.", plural(more, "time")));
        kept[last].facts.insert("more", more.into());
    }
    *findings = kept;
}
