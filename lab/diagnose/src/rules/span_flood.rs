//! A trace that consists nearly entirely of one span, repeated thousands of times.

use super::{chatty, n_plus_one, sequential_calls, unbounded_names};
use crate::{
    facts::view::View,
    finding::{Explains, Finding, Rule, Scope, Severity},
    hash::HashMap,
    thresholds::{OURS, Threshold, Thresholds},
};

/// The rule `span-flood`.
pub(crate) static RULE: Rule = Rule {
    name: "span-flood",
    severity: Severity::Warning,
    summary: "one trace has thousands of spans of one name: backends cut or refuse it, and a person cannot read it",
    remedy: "one span for the loop with a count; events or a metric for its turns; links to traces of their own",
    thresholds: &[
        Threshold::count(
            "spans in a trace, more than",
            |limits| limits.flood_spans,
            "ours; Tempo refuses a trace above 5 MB, which is some ten thousand spans",
        ),
        Threshold::share("of one service and name", |limits| limits.flood_share, OURS),
    ],
    source: "ours (more than 1,000 spans, 80 % of one name; Tempo refuses a trace above 5 MB)",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains::nearby(&[
        &n_plus_one::RULE,
        &sequential_calls::RULE,
        &chatty::RULE,
        &unbounded_names::RULE,
    ]),
    scope: Scope::Trace(detect),
};

fn detect(view: &View<'_>, limits: &Thresholds, found: &mut Vec<Finding>) {
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
