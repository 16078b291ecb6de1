//! Work that continues after its caller gave up.

use trace::Kind;

use super::{deadline_exceeded, error, slow_external};
use crate::{
    facts::{call, view::View},
    finding::{Explains, Finding, Rule, Scope, Severity},
    format::{format_ns, ms},
    thresholds::{OURS, Threshold, Thresholds},
};

/// The rule `abandoned-work`.
pub(crate) static RULE: Rule = Rule {
    name: "abandoned-work",
    severity: Severity::Warning,
    summary: "the caller gave up, and the callee continued to work",
    remedy: "pass the deadline on, cancel the work when the caller is gone, or make the deadline longer than the work",
    thresholds: &[Threshold::time(
        "how long it goes on after the end of the call",
        |limits| limits.abandoned_ns,
        OURS,
    )],
    source: "ours (5 ms past the end of the call)",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains {
        nearby: &[&deadline_exceeded::RULE, &error::RULE, &slow_external::RULE],
        in_request: &[&error::RULE, &deadline_exceeded::RULE],
    },
    scope: Scope::Trace(detect),
};

fn detect(view: &View<'_>, limits: &Thresholds, found: &mut Vec<Finding>) {
    for place in 0..view.len() {
        let span = view.span(place);
        if span.kind != Kind::Server {
            continue;
        }
        let Some(caller) = view
            .trace
            .parent(place)
            .filter(|&caller| gave_up(view, caller))
        else {
            continue;
        };
        let end = view.span(caller).end_ns;
        let after = span.end_ns.saturating_sub(end);
        let began = span.start_ns >= view.span(caller).start_ns && span.start_ns <= end;
        // A wrong clock would have moved its start as well.
        if !began || after < limits.abandoned_ns {
            continue;
        }
        let evidence = format!(
            "{} gave up after {}, and {} went on for {}.",
            view.place(caller),
            format_ns(view.ns(caller)),
            view.place(place),
            format_ns(after)
        );
        // Two views of one event: the failed call, and the useless work.
        found.push(
            Finding::new(&RULE, view.ids(&[place, caller]), evidence)
                .costs(view.below[caller])
                .fact("gave_up_after_ms", ms(view.ns(caller)))
                .fact("went_on_ms", ms(after)),
        );
    }
}

/// Whether a call ended without an answer, with an error or a timeout.
fn gave_up(view: &View<'_>, caller: usize) -> bool {
    let span = view.span(caller);
    let failed = span.is_error() || call::text(span, &["error.type"]).is_some();
    span.kind == Kind::Client
        && (call::timed_out(span) || (failed && call::status_code(span).is_none()))
}
