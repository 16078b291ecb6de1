//! The context was lost on the way: the called service, or the consumer of a message, starts a separate
//! trace.

use trace::{Kind, Text};

use super::{lock_wait, lost_context, partial_trace, pool_wait, slow_external};
use crate::{
    facts::{call, ids, run::RunFacts},
    finding::{Explains, Finding, Rule, Scope, Severity},
    hash::{HashMap, HashSet},
    thresholds::{OURS, Threshold},
};

/// The rule `broken-propagation`.
pub(crate) static RULE: Rule = Rule {
    name: "broken-propagation",
    severity: Severity::Warning,
    summary: "the trace context was lost between two services: one request is two traces",
    remedy: "inject the context where the call is made (traceparent in its headers), extract it where it is received; look for a proxy or a client of one's own between",
    thresholds: &[Threshold::time(
        "by how much an answer may leave its call",
        |limits| limits.handover_ns,
        OURS,
    )],
    source: "ours (a root of the same method and path within the call, or of the same message)",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains {
        nearby: &[
            &lost_context::RULE,
            &partial_trace::RULE,
            &slow_external::RULE,
        ],
        in_request: &[&lock_wait::RULE, &pool_wait::RULE],
    },
    scope: Scope::Run(detect),
};

fn detect(run: &RunFacts<'_>, found: &mut dyn FnMut(usize, Finding)) {
    calls(run, found);
    messages(run, found);
    cut_ids(run, found);
}

/// Traces whose ids differ in the upper half alone, which one of them lacks: a service cuts the id to 64 bits.
fn cut_ids(run: &RunFacts<'_>, found: &mut dyn FnMut(usize, Finding)) {
    let halves = |at: usize| {
        let id = u128::from_be_bytes(*run.views[at].trace.id().as_bytes());
        ((id >> 64) as u64, id as u64)
    };
    let mut whole: HashMap<u64, Vec<usize>> = HashMap::default();
    let mut cut: Vec<(u64, usize)> = Vec::new();
    for at in 0..run.views.len() {
        match halves(at) {
            (0, lower) => cut.push((lower, at)),
            (_, lower) => whole.entry(lower).or_default().push(at),
        }
    }
    for (lower, at) in cut {
        for &other in whole.get(&lower).into_iter().flatten() {
            for (one, other) in [(at, other), (other, at)] {
                let (view, theirs) = (&run.views[one], &run.views[other]);
                let Some(root) = view.root() else { continue };
                let evidence = format!(
                    "The ids of this trace and of trace {} have the same lower half, and one has no upper \
                     half: a service cuts trace ids to 64 bits.",
                    theirs.trace.id()
                );
                found(
                    one,
                    Finding::new(&RULE, view.ids(&[root]), evidence)
                        .fact("other_trace", theirs.trace.id().to_string()),
                );
            }
        }
    }
}

fn calls(run: &RunFacts<'_>, found: &mut dyn FnMut(usize, Finding)) {
    for (at, view) in run.views.iter().enumerate() {
        for &place in &view.unanswered {
            let Some((other, root)) = run.answer_elsewhere(at, place) else {
                continue;
            };
            let theirs = &run.views[other];
            let evidence = format!(
                "{} was answered by {}, which is the root of trace {}.",
                view.place(place),
                theirs.place(root),
                theirs.trace.id()
            );
            let shared = shared_id(run, at, other);
            let finding = |spans, evidence: String, other: usize| {
                let finding = Finding::new(&RULE, spans, evidence)
                    .fact("other_trace", run.views[other].trace.id().to_string());
                match &shared {
                    Some(id) => finding.fact("both_name", id.as_str()),
                    None => finding,
                }
            };
            found(at, finding(view.ids(&[place]), evidence, other));
            let evidence = format!(
                "{} was called by {} of trace {}, and does not know of it.",
                theirs.place(root),
                view.place(place),
                view.trace.id()
            );
            found(other, finding(theirs.ids(&[root]), evidence, at));
        }
    }
}

/// An id that both traces name.
fn shared_id(run: &RunFacts<'_>, one: usize, other: usize) -> Option<Text> {
    let of = |at: usize| {
        let view = &run.views[at];
        (0..view.len()).flat_map(move |place| ids::of(view.span(place)))
    };
    let theirs: HashSet<Text> = of(other).collect();
    of(one).find(|id| theirs.contains(id))
}

/// The consumers that start a trace without a link, and the producers of their messages.
fn messages(run: &RunFacts<'_>, found: &mut dyn FnMut(usize, Finding)) {
    let mut consumers: HashMap<&str, Vec<(usize, usize)>> = HashMap::default();
    for (at, view) in run.views.iter().enumerate() {
        for root in view.trace.roots() {
            let span = view.span(root);
            if span.kind == Kind::Consumer
                && span.links.is_empty()
                && let Some(id) = call::message_id(span)
            {
                consumers.entry(id).or_default().push((at, root));
            }
        }
    }
    if consumers.is_empty() {
        return;
    }
    for (at, view) in run.views.iter().enumerate() {
        for place in 0..view.len() {
            if view.kind(place) != Kind::Producer {
                continue;
            }
            let span = view.span(place);
            let Some(places) = call::message_id(span).and_then(|id| consumers.get(id)) else {
                continue;
            };
            for &(other, root) in places.iter().filter(|(other, _)| *other != at) {
                let theirs = &run.views[other];
                let id = call::message_id(span).unwrap_or_default();
                let evidence = format!(
                    "{} sent message {id}, which {} of trace {} processed without its context.",
                    view.place(place),
                    theirs.place(root),
                    theirs.trace.id()
                );
                let finding =
                    |spans| Finding::new(&RULE, spans, evidence.clone()).fact("both_name", id);
                found(
                    at,
                    finding(view.ids(&[place])).fact("other_trace", theirs.trace.id().to_string()),
                );
                found(
                    other,
                    finding(theirs.ids(&[root])).fact("other_trace", view.trace.id().to_string()),
                );
            }
        }
    }
}
