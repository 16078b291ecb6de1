//! Repeated spans.

use crate::{
    facts::view::View,
    finding::{Explains, Finding, Rule, Scope, Severity},
    format::plural,
    thresholds::Thresholds,
};

/// The rule `duplicate-spans`.
pub(crate) static RULE: Rule = Rule {
    name: "duplicate-spans",
    severity: Severity::Warning,
    summary: "spans are in the trace more than once: counts and sums over them are wrong",
    remedy: "look for two exporters, two pipelines to one backend, or a retry of a batch that had arrived",
    thresholds: &[],
    source: "ours (the same span id twice in a trace)",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains::NOTHING,
    scope: Scope::Trace(detect),
};

fn detect(view: &View<'_>, _: &Thresholds, found: &mut Vec<Finding>) {
    if view.repeated.is_empty() {
        return;
    }
    let more: usize = view.repeated.iter().map(|(_, count)| count - 1).sum();
    let first = (0..view.len()).find(|&place| view.id(place) == view.repeated[0].0);
    let first = first.map_or_else(String::new, |place| view.place(place));
    let too_often = plural(more, "time");
    let evidence = match view.repeated.len() {
        1 => format!("{first} is there more than once, {too_often} too often."),
        many => format!(
            "{many} spans are there more than once, {too_often} too often; the first is {first}."
        ),
    };
    let spans = view.repeated.iter().map(|(id, _)| *id).collect();
    found.push(
        Finding::new(&RULE, spans, evidence)
            .fact("spans", view.repeated.len())
            .fact("too_often", more),
    );
}
