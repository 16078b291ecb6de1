//! A request that failed: the deepest error on its path.

use crate::{
    call,
    finding::{Finding, Looks, Rule, Severity},
    story,
    thresholds::Thresholds,
    view::View,
};

/// `error`.
pub(crate) static RULE: Rule = Rule {
    name: "error",
    severity: Severity::Critical,
    means: "a request or a message failed; the deepest error on its path is where to look",
    remedy: "read the story of the error from the deepest span up: what failed, and what each layer made of it",
    source: "the usual way to read an error trace",
    looks: Looks::AtATrace(look),
};

fn look(view: &View<'_>, _: &Thresholds, found: &mut Vec<Finding>) {
    for deepest in story::failures(view) {
        let span = view.span(deepest);
        let what = call::failure(span).unwrap_or_else(|| "no reason is given".to_owned());
        let mut spans = vec![span.span_id];
        let above: Vec<usize> = view
            .above(deepest)
            .take_while(|&above| view.span(above).is_error())
            .collect();
        spans.extend(view.ids(&above));
        let evidence = format!("{} failed: {what}", view.place(deepest));
        found.push(
            Finding::new(&RULE, spans, evidence)
                .fact("what", what)
                .fact("passed_on", above.len()),
        );
    }
}
