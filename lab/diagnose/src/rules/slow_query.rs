//! A statement of a database that takes long.

use crate::{
    call::{self, Call},
    finding::{Finding, Looks, Rule, Severity, ms, words},
    thresholds::Thresholds,
    view::View,
};

/// `slow-query`.
pub(crate) static RULE: Rule = Rule {
    name: "slow-query",
    severity: Severity::Warning,
    means: "one statement takes long, or most of the time that somebody waited for",
    remedy: "look at its plan (EXPLAIN): an index, fewer rows, a narrower join; or take it off the path",
    source: "Sentry (500 ms); the share of the critical path from 100 ms on is ours",
    looks: Looks::AtATrace(look),
};

fn look(view: &View<'_>, limits: &Thresholds, found: &mut Vec<Finding>) {
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
            words(ns),
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
