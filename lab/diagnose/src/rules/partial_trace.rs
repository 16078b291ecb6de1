//! A part of a trace was not recorded: the called service has spans elsewhere and none here.

use super::slow_external;
use crate::{
    facts::{call, run::RunFacts},
    finding::{Explains, Finding, Rule, Scope, Severity},
};

/// The rule `partial-trace`.
pub(crate) static RULE: Rule = Rule {
    name: "partial-trace",
    severity: Severity::Warning,
    summary: "a service that has spans in other traces has none here: a process on the way decided not to sample them",
    remedy: "decide once, at the root, and pass the sampled flag on (parentbased samplers everywhere)",
    thresholds: &[],
    source: "ours (a call that was answered, whose route has answers with spans in the run)",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: true,
    explains: Explains::nearby(&[&slow_external::RULE]),
    scope: Scope::Run(detect),
};

fn detect(run: &RunFacts<'_>, found: &mut dyn FnMut(usize, Finding)) {
    for (at, view) in run.views.iter().enumerate() {
        for &place in &view.unanswered {
            let span = view.span(place);
            if !run.is_answered_elsewhere(span) || run.answer_elsewhere(at, place).is_some() {
                continue;
            }
            // If its answer is here and only the answer's first span is missing, then a span is missing, not
            // a part.
            if view.may_have_lost_answer(place) {
                continue;
            }
            let answer = call::status_code(span).map_or(String::new(), |code| format!(" ({code})"));
            let evidence = format!(
                "{} was answered{answer} by a service whose spans are in other traces of the run, and not here.",
                view.place(place)
            );
            found(at, Finding::new(&RULE, view.ids(&[place]), evidence));
        }
    }
}
