//! The context was lost inside a service: a task was started without its span, and what it does is in a
//! trace of its own.

use trace::Kind;

use crate::{
    finding::{Finding, Looks, Rule, Severity},
    ids,
    run::Run,
};

/// `lost-context`.
pub(crate) static RULE: Rule = Rule {
    name: "lost-context",
    severity: Severity::Warning,
    means: "a task was started without its span: a part of a request is in a trace of its own",
    remedy: "carry the span into the task (instrument(Span::current()), Context.wrap, contextvars)",
    source: "ours (a root inside a service, within another trace of it that names the same id)",
    looks: Looks::AtTheRun(look),
};

fn look(run: &Run<'_>, found: &mut dyn FnMut(usize, Finding)) {
    for (at, view) in run.views.iter().enumerate() {
        for root in view.trace.roots() {
            let span = view.span(root);
            // Requests and messages begin traces; steps and calls are part of something.
            if matches!(span.kind, Kind::Server | Kind::Consumer) {
                continue;
            }
            let Some((other, place, id)) = origin(run, at, root) else {
                continue;
            };
            let theirs = &run.views[other];
            let evidence = format!(
                "{} is the root of a trace of its own, and was at work within {} of trace {}: both name {id}.",
                view.place(root),
                theirs.place(place),
                theirs.trace.id()
            );
            let finding =
                |spans| Finding::new(&RULE, spans, evidence.clone()).fact("both_name", id.as_str());
            found(
                at,
                finding(view.ids(&[root])).fact("other_trace", theirs.trace.id().to_string()),
            );
            found(
                other,
                finding(theirs.ids(&[place])).fact("other_trace", view.trace.id().to_string()),
            );
        }
    }
}

/// The span of another trace within which a root began: of the same service, with an id that a span of
/// the root's trace names too.
fn origin(run: &Run<'_>, at: usize, root: usize) -> Option<(usize, usize, String)> {
    let view = &run.views[at];
    let span = view.span(root);
    let named = (0..view.len()).flat_map(|place| ids::of(view.span(place)));
    let mut named: Vec<String> = named.collect();
    named.sort_unstable();
    named.dedup();
    for id in named {
        // The widest span that names it: the first.
        let origin = run.naming(&id).iter().find(|&&(other, place)| {
            let theirs = run.views[other].span(place);
            other != at
                && theirs.service() == span.service()
                && theirs.start_ns <= span.start_ns
                && span.start_ns <= theirs.end_ns
        });
        if let Some(&(other, place)) = origin {
            return Some((other, place, id));
        }
    }
    None
}
