//! Attempts that follow each other without growing pauses.

use std::borrow::Cow;

use super::{chatty, deadline_exceeded, error, n_plus_one, sequential_calls, slow_external};
use crate::{
    facts::{
        attempts::{failed, is_again},
        shape,
        view::View,
    },
    finding::{Explains, Finding, Rule, Scope, Severity},
    format::{format_ns, ms},
    hash::HashMap,
    thresholds::{OURS, Threshold, Thresholds},
};

/// The rule `retry-storm`.
pub(crate) static RULE: Rule = Rule {
    name: "retry-storm",
    severity: Severity::Warning,
    summary: "a call that fails is made again and again without a pause that grows",
    remedy: "back off exponentially with jitter, limit the attempts, keep a budget of retries, break the circuit",
    thresholds: &[
        Threshold::count("attempts", |limits| limits.retry_attempts, OURS),
        Threshold::factor(
            "growth of the pauses that is a backoff",
            |limits| limits.backoff_growth,
            OURS,
        ),
        Threshold::time(
            "the least pause of a backoff",
            |limits| limits.backoff_ns,
            OURS,
        ),
    ],
    source: "ours (3 attempts; no backoff where a pause is not longer than the one before it)",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains {
        nearby: &[
            &n_plus_one::RULE,
            &sequential_calls::RULE,
            &chatty::RULE,
            &deadline_exceeded::RULE,
            &error::RULE,
            &slow_external::RULE,
        ],
        in_request: &[&error::RULE],
    },
    scope: Scope::Trace(detect),
};

fn detect(view: &View<'_>, limits: &Thresholds, found: &mut Vec<Finding>) {
    for parent in 0..view.len() {
        let children = view.trace.children(parent);
        if children.len() < limits.retry_attempts {
            continue;
        }
        let is_call = |&child: &usize| view.calls[child].is_answered();
        // Nearly all calls succeed, and are not attempts.
        if !children
            .iter()
            .any(|child| is_call(child) && (failed(view, *child) || is_again(view, *child)))
        {
            continue;
        }
        let mut targets: HashMap<Cow<'_, str>, Vec<usize>> = HashMap::default();
        for child in children.iter().copied().filter(is_call) {
            let failed_or_again = failed(view, child) || is_again(view, child);
            // Only members of a series of failures count; the last attempt may have succeeded.
            if failed_or_again || children.len() <= 64 {
                targets
                    .entry(shape::of(view.span(child), view.calls[child]))
                    .or_default()
                    .push(child);
            }
        }
        let mut targets: Vec<_> = targets.into_iter().collect();
        targets.sort_by_key(|(_, attempts)| attempts[0]);
        for (target, calls) in targets {
            for attempts in rows(view, &calls) {
                if attempts.len() >= limits.retry_attempts {
                    found.extend(finding(view, limits, parent, &target, attempts));
                }
            }
        }
    }
}

/// Finds series of calls, each of which repeats the failed call before it.
fn rows<'c>(view: &View<'_>, calls: &'c [usize]) -> Vec<&'c [usize]> {
    let mut rows = Vec::new();
    let mut from = 0;
    for at in 1..=calls.len() {
        let goes_on = at < calls.len() && {
            let (before, next) = (calls[at - 1], calls[at]);
            let after = view.span(next).start_ns >= view.span(before).end_ns;
            after && (failed(view, before) || is_again(view, next))
        };
        if !goes_on {
            rows.push(&calls[from..at]);
            from = at;
        }
    }
    rows
}

fn finding(
    view: &View<'_>,
    limits: &Thresholds,
    parent: usize,
    target: &str,
    attempts: &[usize],
) -> Option<Finding> {
    let pauses: Vec<u64> = attempts
        .windows(2)
        .map(|two| {
            view.span(two[1])
                .start_ns
                .saturating_sub(view.span(two[0]).end_ns)
        })
        .collect();
    if backs_off(limits, &pauses) {
        return None;
    }
    let longest = pauses.iter().copied().max().unwrap_or(0);
    let failures = attempts
        .iter()
        .filter(|&&place| failed(view, place))
        .count();
    let cost = view.cost(&attempts[1..]);
    let shortest = pauses.iter().copied().min().unwrap_or(0);
    let evidence = format!(
        "{} attempts of {} at {target}, {failures} of them failed, with pauses of {} to {} that do not grow.",
        attempts.len(),
        view.place(parent),
        format_ns(shortest),
        format_ns(longest)
    );
    let mut spans = view.ids(attempts);
    spans.push(view.id(parent));
    Some(
        Finding::new(&RULE, spans, evidence)
            .costs(cost)
            .fact("attempts", attempts.len())
            .fact("failures", failures)
            .fact("target", target)
            .fact("longest_pause_ms", ms(longest))
            // If an attempt succeeded in the end, another cause is behind the failure of the request.
            .local(failures < attempts.len()),
    )
}

/// Whether the pauses are long enough, and grow.
fn backs_off(limits: &Thresholds, pauses: &[u64]) -> bool {
    let (Some(first), Some(last)) = (pauses.first(), pauses.last()) else {
        return false;
    };
    // Jitter may shorten one pause, but the last pause is longer than the first.
    let grow = *last as f64 >= *first as f64 * limits.backoff_growth;
    let most_grow = pauses.windows(2).filter(|two| two[1] > two[0]).count() * 2 >= pauses.len() - 1;
    // One pause may be long because the machine was busy.
    let is_long = |pause: &&u64| **pause >= limits.backoff_ns / 4;
    let most_are_long = pauses.iter().filter(is_long).count() * 2 >= pauses.len();
    *last >= limits.backoff_ns && most_are_long && grow && most_grow
}
