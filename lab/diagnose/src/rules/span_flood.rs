//! A trace that is nearly all one span, thousands of times.

use crate::{
    finding::{Finding, Looks, Rule, Severity},
    hash::HashMap,
    thresholds::Thresholds,
    view::View,
};

/// `span-flood`.
pub(crate) static RULE: Rule = Rule {
    name: "span-flood",
    severity: Severity::Warning,
    means: "one trace has thousands of spans of one name: backends cut or refuse it, and nobody can read it",
    remedy: "one span for the loop with a count; events or a metric for its turns; links to traces of their own",
    source: "ours (more than 1,000 spans, 80 % of one name; Tempo refuses a trace above 5 MB)",
    looks: Looks::AtATrace(look),
};

fn look(view: &View<'_>, limits: &Thresholds, found: &mut Vec<Finding>) {
    if view.len() <= limits.flood_spans {
        return;
    }
    let mut names: HashMap<(&str, &str), Vec<usize>> = HashMap::default();
    for place in 0..view.len() {
        let span = view.span(place);
        names
            .entry((span.service(), &span.name))
            .or_default()
            .push(place);
    }
    let Some(places) = names
        .into_values()
        .max_by_key(|places| (places.len(), std::cmp::Reverse(places[0])))
    else {
        return;
    };
    let share = places.len() as f64 / view.len() as f64;
    if share < limits.flood_share {
        return;
    }
    let evidence = format!(
        "{} of the {} spans of this trace are {}.",
        places.len(),
        view.len(),
        view.place(places[0])
    );
    let parent = view.trace.parent(places[0]);
    let mut spans: Vec<_> = parent.into_iter().map(|parent| view.id(parent)).collect();
    spans.extend(view.ids(&places));
    found.push(
        Finding::new(&RULE, spans, evidence)
            .fact("spans", view.len())
            .fact("alike", places.len()),
    );
}
