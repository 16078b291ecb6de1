//! A slow database statement.

use crate::{
    facts::{
        call::{self, Call},
        view::View,
    },
    finding::{Explains, Finding, Rule, Scope, Severity},
    format::{format_ns, ms},
    thresholds::{OURS, SENTRY, Threshold, Thresholds},
};

/// The rule `slow-query`.
pub(crate) static RULE: Rule = Rule {
    name: "slow-query",
    severity: Severity::Warning,
    summary: "one statement takes long, or most of the time of the request",
    remedy: "look at its plan (EXPLAIN): an index, fewer rows, a narrower join; or take it off the path",
    thresholds: &[
        Threshold::time("how long it takes", |limits| limits.slow_query_ns, SENTRY),
        Threshold::share(
            "or its share of the critical path",
            |limits| limits.slow_share,
            OURS,
        ),
        Threshold::time(
            "from this length on",
            |limits| limits.slow_share_from_ns,
            OURS,
        ),
    ],
    source: "Sentry (500 ms); the share of the critical path from 100 ms on is ours",
    of_the_load: true,
    about_time: true,
    needs_complete_traces: false,
    explains: Explains::NOTHING,
    scope: Scope::Trace(detect),
};

fn detect(view: &View<'_>, limits: &Thresholds, found: &mut Vec<Finding>) {
    for place in 0..view.len() {
        let ns = view.ns(place);
        if ns < limits.slow_share_from_ns || !matches!(view.calls[place], Call::Database(_)) {
            continue;
        }
        let share = view.share(place);
        if ns < limits.slow_query_ns && share < limits.slow_share {
            continue;
        }
        let span = view.span(place);
        let text = call::text(span, &["db.query.text", "db.statement", "db.query.summary"]);
        let text = text.unwrap_or(&span.name);
        let evidence = format!(
            "{} took {}, {:.0} % of what was waited for: {text}",
            view.place(place),
            format_ns(ns),
            share * 100.0
        );
        found.push(
            Finding::new(&RULE, view.ids(&[place]), evidence)
                .costs(view.below[place])
                .fact("duration_ms", ms(ns))
                .fact("share", (share * 1_000.0).round() / 1_000.0)
                .fact("statement", text),
        );
    }
}
