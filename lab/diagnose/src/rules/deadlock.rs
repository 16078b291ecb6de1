//! Two transactions that waited for each other until the database gave one of them up.

use trace::{Span, Value};

use super::{error, lock_wait, n_plus_one, pool_wait, slow_query};
use crate::{
    facts::{
        call::{self, Call},
        run::RunFacts,
        view::View,
    },
    finding::{Explains, Finding, Rule, Scope, Severity},
    format::{format_ns, ms},
    thresholds::{OURS, Threshold},
};

/// The rule `deadlock`.
pub(crate) static RULE: Rule = Rule {
    name: "deadlock",
    severity: Severity::Critical,
    summary: "two transactions waited for each other's lock until the database gave one of them up",
    remedy: "take locks in one order everywhere (sort the keys), keep transactions short, try the victim once more",
    thresholds: &[
        Threshold::time(
            "how long the other waited beside the victim",
            |limits| limits.wait_ns,
            OURS,
        ),
        Threshold::time("between the ends of both, at most", |_| TOGETHER, OURS),
    ],
    source: "the databases' own codes: 40P01 (PostgreSQL), 1213 (MySQL), 1205 (SQL Server), ORA-00060",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains::nearby(&[
        &lock_wait::RULE,
        &pool_wait::RULE,
        &slow_query::RULE,
        &error::RULE,
        &n_plus_one::RULE,
    ]),
    scope: Scope::Run(detect),
};

/// The longest time between the ends of the victim's and the other's statement, in nanoseconds.
const TOGETHER: u64 = 20_000_000;

fn detect(run: &RunFacts<'_>, found: &mut dyn FnMut(usize, Finding)) {
    let mut victims: Vec<(usize, usize)> = Vec::new();
    for (at, view) in run.views.iter().enumerate() {
        let given_up = (0..view.len()).filter(|&place| is_victim(view, place));
        victims.extend(given_up.map(|place| (at, place)));
    }
    for &(at, place) in &victims {
        let view = &run.views[at];
        let evidence = format!(
            "{} waited {} and was given up: {}",
            view.place(place),
            format_ns(view.ns(place)),
            call::failure(view.span(place)).unwrap_or_default()
        );
        found(
            at,
            Finding::new(&RULE, view.ids(&[place]), evidence)
                .costs(view.below[place])
                .fact("waited_ms", ms(view.ns(place)))
                .fact("role", "victim"),
        );
    }
    if victims.is_empty() {
        return;
    }
    for (at, view) in run.views.iter().enumerate() {
        for place in 0..view.len() {
            let Some((victim, its)) = victims
                .iter()
                .find(|victim| went_on(run, (at, place), **victim))
            else {
                continue;
            };
            let evidence = format!(
                "{} waited {} for a lock, and got it when the database gave up {} of trace {}.",
                view.place(place),
                format_ns(view.ns(place)),
                run.views[*victim].span(*its).name,
                run.views[*victim].trace.id()
            );
            found(
                at,
                Finding::new(&RULE, view.ids(&[place]), evidence)
                    .costs(view.below[place])
                    .fact("waited_ms", ms(view.ns(place)))
                    .fact("role", "the other"),
            );
        }
    }
}

fn is_victim(view: &View<'_>, place: usize) -> bool {
    matches!(view.calls[place], Call::Database(_))
        && view.is_error(place)
        && says_deadlock(view.span(place))
}

fn says_deadlock(span: &Span) -> bool {
    let code = ["db.response.status_code", "error.type"]
        .iter()
        .filter_map(|key| span.attributes.get(key)?.as_str());
    let by_code = code
        .into_iter()
        .any(|code| matches!(code, "40P01" | "1213" | "1205" | "ORA-00060"));
    let says = |text: &str| text.to_ascii_lowercase().contains("deadlock");
    let by_event = span.events.iter().any(|event| {
        let text = |key| event.attributes.get(key).and_then(Value::as_str);
        text("exception.message").is_some_and(says) || text("exception.type").is_some_and(says)
    });
    by_code || by_event || says(&span.status.message)
}

/// Whether a statement waited at the same time as the victim and continued when the victim was aborted.
fn went_on(run: &RunFacts<'_>, (at, place): (usize, usize), (victim, its): (usize, usize)) -> bool {
    let (view, span) = (&run.views[at], run.views[at].span(place));
    let theirs = run.views[victim].span(its);
    let overlap = span
        .end_ns
        .min(theirs.end_ns)
        .saturating_sub(span.start_ns.max(theirs.start_ns));
    at != victim
        && matches!(view.calls[place], Call::Database(_))
        && !span.is_error()
        && span.service() == theirs.service()
        && span.end_ns.abs_diff(theirs.end_ns) <= TOGETHER
        && overlap >= run.limits.wait_ns
        && 2 * overlap
            >= theirs
                .end_ns
                .saturating_sub(theirs.start_ns)
                .min(view.ns(place))
}
