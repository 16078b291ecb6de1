//! The same span twice.

use crate::{
    counted,
    finding::{Finding, Looks, Rule, Severity},
    thresholds::Thresholds,
    view::View,
};

/// `duplicate-spans`.
pub(crate) static RULE: Rule = Rule {
    name: "duplicate-spans",
    severity: Severity::Warning,
    means: "spans are in the trace more than once: counts and sums over them are wrong",
    remedy: "look for two exporters, two pipelines to one backend, or a retry of a batch that had arrived",
    source: "ours (the same span id twice in a trace)",
    looks: Looks::AtATrace(look),
};

fn look(view: &View<'_>, _: &Thresholds, found: &mut Vec<Finding>) {
    if view.repeated.is_empty() {
        return;
    }
    let more: usize = view.repeated.iter().map(|(_, count)| count - 1).sum();
    let first = (0..view.len()).find(|&place| view.id(place) == view.repeated[0].0);
    let first = first.map_or_else(String::new, |place| view.place(place));
    let too_often = counted(more, "time");
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
