//! The rules for a whole trace, apart from counts: forbidden calls, the critical path, and the time of
//! arrival.

use scenario::{Expectation, Forbidden, PathShare, Pattern};
use trace::{Top, Trace, critical_path, milliseconds};

use crate::{
    Observed,
    explain::{blank, of_span},
    forest::Forest,
    matching::{Bindings, Matching, target},
    plan::{Plan, identity},
    reference::{holds, resolve},
    report::{Difference, Line, Mark},
};

/// A line for each rule that does not hold, or cannot be evaluated.
pub(crate) fn lines(
    expectation: &Expectation,
    observed: &Observed<'_>,
    plan: &Plan<'_>,
    forest: &Forest<'_>,
    matching: &Matching<'_>,
) -> Vec<Line> {
    let mut lines: Vec<Line> = arrival(expectation, observed).into_iter().collect();
    let applies = expectation.when.as_ref().map_or(Some(true), |when| {
        holds(when, |reference| {
            let bindings = Some(&matching.bindings);
            let target = target(plan, &Bindings::new(), bindings, &reference.span);
            resolve(reference, target, forest)
        })
    });
    match applies {
        Some(true) => {
            lines.extend(
                expectation
                    .forbid
                    .iter()
                    .flat_map(|rule| forbidden(rule, forest)),
            );
            lines.extend(
                expectation
                    .critical_path
                    .iter()
                    .filter_map(|rule| path_share(rule, observed.trace)),
            );
        }
        Some(false) => {}
        None => lines.push(unknown(
            "when",
            "it cannot be known whether the condition holds",
        )),
    }
    lines
}

fn arrival(expectation: &Expectation, observed: &Observed<'_>) -> Option<Line> {
    let want = expectation.trace.arrival?;
    let Some(got) = observed.arrival else {
        return Some(unknown(
            "arrival",
            "the arrival of a recorded trace is not known",
        ));
    };
    (!want.contains(got)).then(|| differs("arrival", want.to_string(), format!("{got:?}")))
}

fn forbidden(rule: &Forbidden, forest: &Forest<'_>) -> Vec<Line> {
    let fits = |pattern: &Pattern, span: usize| !identity(pattern, forest.span(span)).any();
    let calls = |span: usize| {
        let mut above = std::iter::successors(forest.parent(span), |&above| forest.parent(above));
        match rule.any_depth {
            true => above.any(|above| fits(&rule.from, above)),
            false => above.next().is_some_and(|above| fits(&rule.from, above)),
        }
    };
    (0..forest.len())
        .filter(|&span| fits(&rule.to, span) && calls(span))
        .map(|span| Line {
            position: Some(rule.position),
            note: Some(format!(
                "forbid: from {} to {}",
                described(&rule.from),
                described(&rule.to)
            )),
            ..of_span(Mark::Unexpected, forest.span(span))
        })
        .collect()
}

fn path_share(rule: &PathShare, trace: &Trace) -> Option<Line> {
    let field = format!("critical path through {}", described(&rule.through));
    let want = share(rule.share.min, rule.share.max);
    // The user's request is the earliest root; a trace that lost its root is judged by its first top span.
    let tops = trace.tops();
    let root = tops
        .iter()
        .find(|&&top| trace.top(top) == Some(Top::Root))
        .or(tops.first());
    let Some(&root) = root else {
        return Some(differs(&field, want, "no span at all".to_owned()));
    };
    let path = critical_path(trace, root);
    let through = path.through(|span| !identity(&rule.through, trace.span(span)).any());
    let total = path.total();
    let got = match total.is_zero() {
        true => 0.0,
        false => through.as_secs_f64() / total.as_secs_f64(),
    };
    (!rule.share.contains(got)).then(|| {
        let got = format!(
            "{:.1}% ({:.1} of {:.1} ms)",
            got * 100.0,
            milliseconds(through),
            milliseconds(total)
        );
        Line {
            position: Some(rule.position),
            ..differs(&field, want, got)
        }
    })
}

/// Describes a pattern in a few words.
pub(crate) fn described(pattern: &Pattern) -> String {
    let service = pattern.service.as_ref().map(ToString::to_string);
    let name = pattern.name.as_ref().map(ToString::to_string);
    let kind = pattern.kind.map(|kind| format!("({kind})"));
    let words: Vec<String> = [service, name, kind].into_iter().flatten().collect();
    words.join(" ")
}

/// Formats a share, or a range of shares, in percent.
pub(crate) fn share(min: f64, max: f64) -> String {
    match (min, max) {
        (min, f64::INFINITY) => format!(">= {:.0}%", min * 100.0),
        (0.0, max) => format!("<= {:.0}%", max * 100.0),
        (min, max) => format!("{:.0}%..{:.0}%", min * 100.0, max * 100.0),
    }
}

fn differs(field: &str, want: String, got: String) -> Line {
    Line {
        name: "trace".into(),
        differences: vec![Difference {
            field: field.to_owned(),
            want,
            got,
            unknown: None,
        }],
        ..blank(Mark::Differs)
    }
}

fn unknown(name: &str, why: &str) -> Line {
    Line {
        name: name.into(),
        note: Some(why.to_owned()),
        ..blank(Mark::Unsupported)
    }
}
