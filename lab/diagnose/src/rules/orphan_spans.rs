//! Spans that name a parent which is not there.

use std::collections::BTreeMap;

use trace::SpanId;

use crate::{
    finding::{Finding, Looks, Rule, Severity},
    thresholds::Thresholds,
    view::View,
};

/// `orphan-spans`.
pub(crate) static RULE: Rule = Rule {
    name: "orphan-spans",
    severity: Severity::Warning,
    means: "spans name a parent that is not in the trace: it was lost, not exported, or dropped on the way",
    remedy: "look at what the exporter of the parent's service dropped, at its shutdown, and at filters on the way",
    source: "Jaeger (a parent id that is set and absent)",
    looks: Looks::AtATrace(look),
};

fn look(view: &View<'_>, _: &Thresholds, found: &mut Vec<Finding>) {
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
