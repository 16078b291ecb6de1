//! The context was lost inside a service: a task was started without its span, and its spans are in a
//! separate trace.

use std::{cell::OnceCell, collections::BTreeMap};

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
        let shared = OnceCell::new();
        for root in view.trace.roots() {
            let span = view.span(root);
            // Requests and messages start traces; steps and calls belong to something.
            if matches!(span.kind, Kind::Server | Kind::Consumer) {
                continue;
            }
            let shared = shared.get_or_init(|| shared_ids(run, at));
            let Some((other, place, id)) = origin(run, at, root, shared) else {
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
    let mut by_service: BTreeMap<&str, Requests<'_>> = BTreeMap::new();
    let is_enough = |roots: &[(usize, usize)]| roots.len() >= ENOUGH;
    for ((service, _), _) in roots.iter().filter(|(_, roots)| is_enough(roots)) {
        by_service.entry(service).or_default();
    }
    if by_service.is_empty() {
        return;
    }
    for (at, view) in run.views.iter().enumerate() {
        for place in 0..view.len() {
            let span = view.span(place);
            if matches!(span.kind, Kind::Server | Kind::Consumer)
                && let Some(requests) = by_service.get_mut(span.service())
            {
                requests.entry(&span.name).or_default().push((at, place));
            }
        }
    }
    for ((service, name), roots) in roots {
        if !is_enough(&roots) {
            continue;
        }
        let requests = by_service.get(service).into_iter().flatten();
        for (_, requests) in requests.filter(|(_, requests)| requests.len() == roots.len()) {
            let around = Around::of(run, requests);
            let within = |&(at, root): &(usize, usize)| {
                let begun = run.views[at].span(root).start_ns;
                around.only_one(begun).map(|request| requests[request])
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

/// The requests of one service, by name: trace and place.
type Requests<'r> = BTreeMap<&'r str, Vec<(usize, usize)>>;

/// Which request is in progress at a moment, if it is one alone. A search takes the logarithm of their number.
struct Around {
    /// The starts, the earliest first, each with the sum of the numbers of the requests that start no later.
    starts: Vec<(u64, usize)>,
    /// The ends in the same way.
    ends: Vec<(u64, usize)>,
}

// === impl Around ===

impl Around {
    fn of(run: &RunFacts<'_>, requests: &[(usize, usize)]) -> Around {
        let times = requests.iter().enumerate().map(|(number, &(at, place))| {
            let span = run.views[at].span(place);
            (span.start_ns, span.end_ns, number)
        });
        // A span that ends before it begins is never in progress.
        let times: Vec<_> = times.filter(|(start, end, _)| start <= end).collect();
        let summed = |mut times: Vec<(u64, usize)>| {
            times.sort_unstable();
            let mut sum = 0;
            for (_, number) in &mut times {
                sum += *number;
                *number = sum;
            }
            times
        };
        Around {
            starts: summed(times.iter().map(|&(start, _, n)| (start, n)).collect()),
            ends: summed(times.iter().map(|&(_, end, n)| (end, n)).collect()),
        }
    }

    /// The number of the request that is in progress at a moment, if no other is.
    fn only_one(&self, at: u64) -> Option<usize> {
        let sum = |times: &[(u64, usize)]| times.last().map_or(0, |(_, sum)| *sum);
        let begun = self.starts.partition_point(|(start, _)| *start <= at);
        let over = self.ends.partition_point(|(end, _)| *end < at);
        // What has begun and is not over is one number, and so is the difference of the sums.
        (begun - over == 1).then(|| sum(&self.starts[..begun]) - sum(&self.ends[..over]))
    }
}

/// The ids that spans of this trace name, and spans of another.
fn shared_ids(run: &RunFacts<'_>, at: usize) -> Vec<Text> {
    if run.views.len() < 2 {
        return Vec::new();
    }
    let view = &run.views[at];
    let named = (0..view.len()).flat_map(|place| ids::of(view.span(place)));
    let mut named: Vec<Text> = named.collect();
    named.sort_unstable();
    named.dedup();
    named.retain(|id| {
        let mut naming = run.naming(id).iter().take(NAMED);
        naming.any(|(other, _)| *other != at)
    });
    named
}

/// The highest number of examined spans that name an id.
const NAMED: usize = 1_024;

/// The span of another trace within which a root started: it is of the same service, and names an id that a
/// span of the root's trace names too.
fn origin(
    run: &RunFacts<'_>,
    at: usize,
    root: usize,
    shared: &[Text],
) -> Option<(usize, usize, Text)> {
    let span = run.views[at].span(root);
    for id in shared {
        // The root started during the work that the naming span belongs to.
        let origin = run
            .naming(id)
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
            return Some((other, place, id.clone()));
        }
    }
    None
}
