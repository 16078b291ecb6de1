//! Spans whose parent is missing.

use std::collections::BTreeMap;

use trace::SpanId;

use super::{partial_trace, slow_external};
use crate::{
    facts::view::View,
    finding::{Explains, Finding, Rule, Scope, Severity},
    thresholds::Thresholds,
};

/// The rule `orphan-spans`.
pub(crate) static RULE: Rule = Rule {
    name: "orphan-spans",
    severity: Severity::Warning,
    summary: "spans name a parent that is not in the trace: it was lost, not exported, or dropped on the way",
    remedy: "look at what the exporter of the parent's service dropped, at its shutdown, and at filters on the way",
    thresholds: &[],
    source: "Jaeger (a parent id that is set and absent)",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains::nearby(&[&slow_external::RULE, &partial_trace::RULE]),
    scope: Scope::Trace(detect),
};

fn detect(view: &View<'_>, _: &Thresholds, found: &mut Vec<Finding>) {
    let mut missing: BTreeMap<SpanId, Vec<usize>> = BTreeMap::new();
    for orphan in view.trace.orphans() {
        if let Some(parent) = view.span(orphan).parent_span_id {
            missing.entry(parent).or_default().push(orphan);
        }
    }
    for (parent, orphans) in missing {
        let first = view.place(orphans[0]);
        let evidence = match orphans.len() {
            1 => format!("{first} names the parent {parent}, which is not here."),
            many => format!(
                "{many} spans name the parent {parent}, which is not here; the first is {first}."
            ),
        };
        found.push(
            Finding::new(&RULE, view.ids(&orphans), evidence)
                .fact("orphans", orphans.len())
                .fact("parent", parent.to_string()),
        );
    }
}
