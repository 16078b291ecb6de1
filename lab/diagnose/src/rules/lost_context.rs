//! The context was lost inside a service: a task was started without its span, and its spans are in a
//! separate trace.

use std::collections::BTreeMap;

use trace::{Kind, Text};

use super::{lock_wait, partial_trace, pool_wait, wrong_parent};
use crate::{
    facts::{ids, run::RunFacts},
    finding::{Explains, Finding, Rule, Scope, Severity},
    thresholds::{OURS, Threshold},
};

/// The rule `lost-context`.
pub(crate) static RULE: Rule = Rule {
    name: "lost-context",
    severity: Severity::Warning,
    summary: "a task was started without its span: a part of a request is in a trace of its own",
    remedy: "carry the span into the task (instrument(Span::current()), Context.wrap, contextvars)",
    thresholds: &[Threshold::count(
        "roots of one name, one within each request, where no id tells",
        |_| ENOUGH,
        OURS,
    )],
    source: "ours (a root inside a service, within another trace of it that names the same id)",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains {
        nearby: &[&partial_trace::RULE],
        in_request: &[&lock_wait::RULE, &pool_wait::RULE, &wrong_parent::RULE],
    },
    scope: Scope::Run(detect),
};

fn detect(run: &RunFacts<'_>, found: &mut dyn FnMut(usize, Finding)) {
    let mut by_name: Roots<'_> = BTreeMap::new();
    for (at, view) in run.views.iter().enumerate() {
        for root in view.trace.roots() {
            let span = view.span(root);
            // Requests and messages start traces; steps and calls belong to something.
            if matches!(span.kind, Kind::Server | Kind::Consumer) {
                continue;
            }
            let Some((other, place, id)) = origin(run, at, root) else {
                by_name
                    .entry((span.service(), &*span.name))
                    .or_default()
                    .push((at, root));
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
    one_for_each_request(run, by_name, found);
}

/// Roots without an id, by service and name: trace and place.
type Roots<'r> = BTreeMap<(&'r str, &'r str), Vec<(usize, usize)>>;

/// The least number of requests, each with a root of one name within it, that is no coincidence.
const ENOUGH: usize = 3;

/// The case without ids: there are equally many roots and requests of one name, and one root within each
/// request.
fn one_for_each_request(
    run: &RunFacts<'_>,
    roots: Roots<'_>,
    found: &mut dyn FnMut(usize, Finding),
) {
    for ((service, name), roots) in roots {
        if roots.len() < ENOUGH {
            continue;
        }
        let mut requests: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
        for (at, view) in run.views.iter().enumerate() {
            for place in 0..view.len() {
                let span = view.span(place);
                if span.service() == service && matches!(span.kind, Kind::Server | Kind::Consumer) {
                    requests.entry(&span.name).or_default().push((at, place));
                }
            }
        }
        for requests in requests
            .values()
            .filter(|requests| requests.len() == roots.len())
        {
            let within = |&(at, root): &(usize, usize)| {
                let begun = run.views[at].span(root).start_ns;
                let mut around = requests.iter().filter(|&&(other, place)| {
                    let span = run.views[other].span(place);
                    span.start_ns <= begun && begun <= span.end_ns
                });
                around.next().copied().filter(|_| around.next().is_none())
            };
            let pairs: Option<Vec<(usize, usize)>> = roots.iter().map(within).collect();
            let Some(pairs) = pairs else { continue };
            let mut each: Vec<(usize, usize)> = pairs.clone();
            each.sort_unstable();
            each.dedup();
            if each.len() < roots.len() {
                continue;
            }
            for (&(at, root), &(other, place)) in roots.iter().zip(&pairs) {
                let (view, theirs) = (&run.views[at], &run.views[other]);
                let evidence = format!(
                    "{name} is the root of {} traces of its own, one within each {}: it belongs to them.",
                    roots.len(),
                    theirs.place(place)
                );
                let id = |run: &RunFacts<'_>, at: usize| run.views[at].trace.id().to_string();
                found(
                    at,
                    Finding::new(&RULE, view.ids(&[root]), evidence.clone())
                        .fact("other_trace", id(run, other)),
                );
                found(
                    other,
                    Finding::new(&RULE, theirs.ids(&[place]), evidence)
                        .fact("other_trace", id(run, at)),
                );
            }
            break;
        }
    }
}

/// The highest number of examined spans that name an id.
const NAMED: usize = 1_024;

/// The span of another trace within which a root started: it is of the same service, and names an id that a
/// span of the root's trace names too.
fn origin(run: &RunFacts<'_>, at: usize, root: usize) -> Option<(usize, usize, Text)> {
    let view = &run.views[at];
    let span = view.span(root);
    let named = (0..view.len()).flat_map(|place| ids::of(view.span(place)));
    let mut named: Vec<Text> = named.collect();
    named.sort_unstable();
    named.dedup();
    for id in named {
        // The root started during the work that the naming span belongs to.
        let origin = run
            .naming(&id)
            .iter()
            .take(NAMED)
            .find_map(|&(other, place)| {
                let theirs = &run.views[other];
                let entry = theirs.entry(place);
                let within = |place: usize| {
                    let other = theirs.span(place);
                    other.start_ns <= span.start_ns && span.start_ns <= other.end_ns
                };
                let is_same = other != at && theirs.span(place).service() == span.service();
                let whole = [place, entry].into_iter().find(|&place| within(place));
                whole.filter(|_| is_same).map(|place| (other, place))
            });
        if let Some((other, place)) = origin {
            return Some((other, place, id));
        }
    }
    None
}
