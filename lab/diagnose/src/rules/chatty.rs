//! A span with very many calls or steps, one after the other.

use std::borrow::Cow;

use crate::{
    facts::{
        call::{Access, Call},
        shape,
        siblings::{is_batch, rounds},
        view::View,
    },
    finding::{Explains, Finding, Rule, Scope, Severity},
    hash::HashSet,
    thresholds::{PERF_SENTINEL, Threshold, Thresholds},
};

/// The rule `chatty`.
pub(crate) static RULE: Rule = Rule {
    name: "chatty",
    severity: Severity::Info,
    summary: "one span makes very many calls, one after the other",
    remedy: "ask for more at a time; move work to where the data is",
    thresholds: &[
        Threshold::count(
            "children one after the other, more than",
            |limits| limits.chatty_children,
            PERF_SENTINEL,
        ),
        Threshold::count(
            "calls one after the other",
            |limits| limits.chatty_calls,
            PERF_SENTINEL,
        ),
    ],
    source: "perf-sentinel (more than 20 children, 15 outbound calls)",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains::NOTHING,
    scope: Scope::Trace(detect),
};

fn detect(view: &View<'_>, limits: &Thresholds, found: &mut Vec<Finding>) {
    for parent in 0..view.len() {
        let children = view.trace.children(parent);
        if children.len() < limits.chatty_calls.min(limits.chatty_children)
            || is_batch(view, parent)
        {
            continue;
        }
        let counted: Vec<usize> = once_a_batch(view, children)
            .into_iter()
            .filter(|&child| makes_a_call(view, child))
            .collect();
        let calls: Vec<usize> = counted
            .iter()
            .copied()
            .filter(|&child| view.calls[child].is_answered())
            .collect();
        // Spans that run at the same time are one round: a fan-out is not chatty.
        let (steps, calls) = (rounds(view, &counted), rounds(view, &calls));
        if steps <= limits.chatty_children && calls < limits.chatty_calls {
            continue;
        }
        let evidence = format!(
            "{} has {} children, {steps} of them one after the other, {calls} of those calls.",
            view.place(parent),
            children.len()
        );
        let mut spans = vec![view.id(parent)];
        spans.extend(view.ids(&counted));
        found.push(
            Finding::new(&RULE, spans, evidence)
                .fact("children", children.len())
                .fact("one_after_another", steps)
                .fact("calls", calls),
        );
    }
}

/// Whether a span is a call, or a step with a call directly below it.
fn makes_a_call(view: &View<'_>, place: usize) -> bool {
    let is_call = |place: usize| view.calls[place] != Call::None;
    is_call(place)
        || view
            .trace
            .children(place)
            .iter()
            .any(|&child| is_call(child))
}

/// Writes to a database, and messages to one destination, are a batch: they count once.
fn once_a_batch(view: &View<'_>, children: &[usize]) -> Vec<usize> {
    let mut batches = HashSet::default();
    let mut counts = |child: &usize| {
        let call = view.calls[*child];
        match call {
            Call::Database(Access::Write) => batches.insert(Cow::default()),
            Call::Messaging => batches.insert(shape::of(view.span(*child), call)),
            _ => true,
        }
    };
    children
        .iter()
        .copied()
        .filter(|child| counts(child))
        .collect()
}
