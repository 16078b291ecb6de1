//! Finds the failures of a trace: the deepest errors, without those that were handled.

use trace::Kind;

use super::{attempts::Successes, call, view::View};
use crate::hash::HashSet;

/// The highest number of errors of a trace that are examined.
const MOST: usize = 256;

/// The deepest errors: at most one for each request or message, the most important first.
///
/// A handled error does not count: the call was repeated with success, or a span above the error in its
/// service ended without an error.
pub(crate) fn failures(view: &View<'_>) -> Vec<usize> {
    let is_deepest = |place: &usize| {
        let mut children = view.trace.children(*place).iter();
        view.is_error(*place) && !children.any(|&child| view.is_error(child))
    };
    let mut deepest: Vec<usize> = (0..view.len()).filter(is_deepest).collect();
    // The last errors count; a hostile trace has a hundred thousand.
    deepest.sort_by_key(|&place| std::cmp::Reverse(view.end_ns(place)));
    deepest.truncate(MOST);
    let mut successes = Successes::of(view);
    let mut failures: Vec<(bool, std::cmp::Reverse<u64>, usize, usize)> = deepest
        .into_iter()
        .filter(|&place| !is_only_refused(view, place))
        .filter(|&place| !successes.went_well_later(place) && !tried_later(view, view.head[place]))
        .filter_map(|place| {
            let last = last_in_error(view, place);
            reaches_caller(view, last).then(|| {
                let root = view.head[place];
                let passed = view.trace.parent(last).is_some();
                (
                    passed,
                    std::cmp::Reverse(view.span(place).end_ns),
                    place,
                    root,
                )
            })
        })
        .collect();
    // If one failure caused another, only the cause is kept.
    let places: HashSet<usize> = failures.iter().map(|(_, _, place, _)| *place).collect();
    let above: HashSet<usize> = places
        .iter()
        .flat_map(|&place| view.above(place))
        .filter(|above| places.contains(above))
        .collect();
    failures.retain(|(_, _, place, _)| !above.contains(place));
    failures.sort_unstable();
    // One story for each request: the error that went furthest up, and of equals the last.
    let mut told = HashSet::default();
    failures.retain(|(.., root)| told.insert(*root));
    failures.into_iter().map(|(_, _, place, _)| place).collect()
}

/// Whether a message that failed was processed again later: then the later attempt counts.
fn tried_later(view: &View<'_>, head: usize) -> bool {
    let Some(parent) = view
        .trace
        .parent(head)
        .filter(|_| view.span(head).kind == Kind::Consumer)
    else {
        return false;
    };
    let (this, id) = (view.span(head), call::message_id(view.span(head)));
    view.trace.children(parent).iter().any(|&other| {
        let other = view.span(other);
        other.kind == Kind::Consumer
            && other.start_ns >= this.end_ns
            && other.name == this.name
            && call::message_id(other) == id
    })
}

/// Whether a span is an error only by the conventions, which mark every CLIENT span with a 4xx response as an
/// error: a wrong password is not a failure of the program.
fn is_only_refused(view: &View<'_>, place: usize) -> bool {
    let chain = view
        .above(place)
        .take_while(|&above| view.span(above).is_error());
    std::iter::once(place).chain(chain).all(|place| {
        let span = view.span(place);
        let refused = call::status_code(span).is_some_and(|code| (400..500).contains(&code));
        span.kind == Kind::Client && refused && span.events.is_empty()
    })
}

/// The highest span in error above this one, with no span without an error in between.
fn last_in_error(view: &View<'_>, place: usize) -> usize {
    view.above(place)
        .take_while(|&above| view.span(above).is_error())
        .last()
        .unwrap_or(place)
}

/// Whether an error left the service in which it arose, or reached the user or the broker.
fn reaches_caller(view: &View<'_>, last: usize) -> bool {
    let span = view.span(last);
    let Some(parent) = view.trace.parent(last) else {
        return true;
    };
    if span.kind == Kind::Consumer {
        return true;
    }
    // By the conventions a SERVER span that answers 4xx has no error.
    let entry = std::iter::once(last)
        .chain(view.above(last))
        .find(|&place| view.span(place).kind == Kind::Server)
        .unwrap_or(parent);
    let refused =
        |place: usize| call::status_code(view.span(place)).is_some_and(|code| code >= 400);
    refused(entry) && passes_up(view, entry)
}

/// Whether each service above the entry refused the request as well, up to the user.
fn passes_up(view: &View<'_>, entry: usize) -> bool {
    let above: Vec<usize> = view.above(entry).collect();
    let entries: Vec<usize> = above
        .iter()
        .copied()
        .filter(|&place| view.span(place).kind == Kind::Server)
        .collect();
    entries.iter().all(|&place| {
        view.span(place).is_error()
            || call::status_code(view.span(place)).is_some_and(|code| code >= 400)
    })
}
