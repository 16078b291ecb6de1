//! A request that failed: the deepest error on its path.

use crate::{
    facts::{call, failures::failures, view::View},
    finding::{Explains, Finding, Rule, Scope, Severity},
    thresholds::Thresholds,
};

/// The rule `error`.
pub(crate) static RULE: Rule = Rule {
    name: "error",
    severity: Severity::Critical,
    summary: "a request or a message failed; the deepest error on its path is where to look",
    remedy: "read the story of the error from the deepest span up: what failed, and what each layer made of it",
    thresholds: &[],
    source: "the usual way to read an error trace",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains::NOTHING,
    scope: Scope::Trace(detect),
};

fn detect(view: &View<'_>, _: &Thresholds, found: &mut Vec<Finding>) {
    for deepest in failures(view) {
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
                .fact("passed_on", above.len())
                // The origin of the error must be explained, not the callers that it reached.
                .explained_at_first_span(),
        );
    }
}
