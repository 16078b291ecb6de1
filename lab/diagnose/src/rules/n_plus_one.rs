//! The same read is repeated, once for each item, although one read could return all items.

use std::{borrow::Cow, cell::OnceCell};

use super::{chatty, sequential_calls, slow_query};
use crate::{
    facts::{
        call::{self, Access, Call},
        shape,
        siblings::{is_batch, one_after_another, rounds},
        view::View,
    },
    finding::{Explains, Finding, Rule, Scope, Severity},
    format::{format_ns, ms},
    hash::HashMap,
    thresholds::{PERF_SENTINEL, SENTRY, Threshold, Thresholds},
};

/// The rule `n-plus-one`.
pub(crate) static RULE: Rule = Rule {
    name: "n-plus-one",
    severity: Severity::Warning,
    summary: "the same read is made again and again under one parent, once for each item",
    remedy: "ask for all items at once (WHERE … IN, a join, a batch endpoint), or load them eagerly",
    thresholds: &[
        Threshold::count(
            "queries of one shape",
            |limits| limits.n_plus_one_many,
            PERF_SENTINEL,
        ),
        Threshold::count(
            "queries of one shape after a query of another",
            |limits| limits.n_plus_one_queries,
            SENTRY,
        ),
        Threshold::time(
            "what these take together",
            |limits| limits.n_plus_one_ns,
            SENTRY,
        ),
        Threshold::count(
            "calls of one route",
            |limits| limits.n_plus_one_calls,
            SENTRY,
        ),
        Threshold::time(
            "what the calls take together",
            |limits| limits.n_plus_one_calls_ns,
            SENTRY,
        ),
        Threshold::count(
            "the longest group of spans that repeats",
            |limits| limits.group_length,
            SENTRY,
        ),
        Threshold::count(
            "how often a group repeats",
            |limits| limits.group_times,
            SENTRY,
        ),
    ],
    source: "Sentry (5 of one shape after a source query, 50 ms; 5 calls, 300 ms; groups of up to 8 spans, 3 times, 50 ms), perf-sentinel (10)",
    of_the_load: false,
    about_time: true,
    needs_complete_traces: false,
    explains: Explains::nearby(&[&sequential_calls::RULE, &chatty::RULE, &slow_query::RULE]),
    scope: Scope::Trace(detect),
};

/// The least number of repetitions below one parent with which any of the limits can be reached.
const FEW: usize = 3;

fn detect(view: &View<'_>, limits: &Thresholds, found: &mut Vec<Finding>) {
    let reads = OnceCell::new();
    for parent in 0..view.len() {
        let children = view.trace.children(parent);
        if children.len() < FEW || is_batch(view, parent) {
            continue;
        }
        let before = found.len();
        by_shape(view, limits, parent, children, found);
        if found.len() == before {
            by_group(view, limits, &reads, (parent, children), found);
        }
    }
}

/// Finds siblings that are reads of one shape.
fn by_shape(
    view: &View<'_>,
    limits: &Thresholds,
    parent: usize,
    children: &[usize],
    found: &mut Vec<Finding>,
) {
    let is_read = |place: usize| {
        matches!(
            view.calls[place],
            Call::Database(Access::Read) | Call::Http(Access::Read) | Call::Rpc
        )
    };
    let reads: Vec<usize> = children
        .iter()
        .copied()
        .filter(|&child| is_read(child))
        .collect();
    if reads.len() < limits.n_plus_one_queries.min(limits.n_plus_one_calls) {
        return;
    }
    let mut shapes: HashMap<(&str, Cow<'_, str>), Vec<usize>> = HashMap::default();
    for &read in &reads {
        let span = view.span(read);
        let shape = shape::of(span, view.calls[read]);
        shapes
            .entry((span.service(), shape))
            .or_default()
            .push(read);
    }
    let mut shapes: Vec<_> = shapes.into_iter().collect();
    shapes.sort_by_key(|(_, places)| places[0]);
    for ((_, shape), places) in shapes {
        let total: u64 = places.iter().map(|&place| view.ns(place)).sum();
        let is_query = matches!(view.calls[places[0]], Call::Database(_));
        let is_one = match is_query {
            true => {
                one_after_another(view, &places)
                    && (places.len() >= limits.n_plus_one_many
                        || (places.len() >= limits.n_plus_one_queries
                            && total >= limits.n_plus_one_ns
                            && follows_another(view, parent, places[0], &shape)))
            }
            // Calls at the same time are a fan-out, and no N+1.
            false => {
                places.len() >= limits.n_plus_one_calls
                    && total >= limits.n_plus_one_calls_ns
                    && one_after_another(view, &places)
                    && !is_polling(view, &places)
            }
        };
        if is_one {
            found.push(finding(view, parent, &places, total, &shape, is_query));
        } else if is_query
            && places.len() >= limits.n_plus_one_many
            && rounds(view, &places) * 2 <= places.len()
            && follows_another(view, parent, places[0], &shape)
        {
            found.push(at_once(view, parent, &places, &shape));
        }
    }
}

/// Whether the calls are equal, with pauses between them: they poll until the result exists.
fn is_polling(view: &View<'_>, places: &[usize]) -> bool {
    let asked = |place: usize| call::text(view.span(place), &["url.full", "http.url"]);
    let first = asked(places[0]);
    first.is_some() && places.iter().all(|&place| asked(place) == first)
}

fn finding(
    view: &View<'_>,
    parent: usize,
    places: &[usize],
    total: u64,
    shape: &str,
    is_query: bool,
) -> Finding {
    let count = places.len();
    let longest = places
        .iter()
        .map(|&place| view.ns(place))
        .max()
        .unwrap_or(0);
    let cost = view.cost(places).saturating_sub(longest);
    let what = if is_query { "queries" } else { "calls" };
    let evidence = format!(
        "{count} {what} of one shape below {}, {} together: {shape}. One for all would save some {}.",
        view.place(parent),
        format_ns(total),
        format_ns(cost)
    );
    Finding::new(&RULE, ids(view, parent, places), evidence)
        .costs(cost)
        .fact("count", count)
        .fact("shape", shape)
        .fact("total_ms", ms(total))
        .fact("parent", view.place(parent))
}

/// The same queries, sent at the same time.
fn at_once(view: &View<'_>, parent: usize, places: &[usize], shape: &str) -> Finding {
    let count = places.len();
    let evidence = format!(
        "{count} queries of one shape below {}, sent at once: {shape}. The request waits for the slowest \
         alone, but the database answers all of them.",
        view.place(parent)
    );
    Finding::new(&RULE, ids(view, parent, places), evidence)
        .information()
        .fact("count", count)
        .fact("shape", shape)
        .fact("parent", view.place(parent))
}

fn ids(view: &View<'_>, parent: usize, places: &[usize]) -> Vec<trace::SpanId> {
    let mut ids = view.ids(places);
    ids.push(view.id(parent));
    ids
}

/// The limits of the search for the query that found the items: the number of levels up, and the number of
/// spans back.
const HIGH: usize = 64;
const BEFORE: usize = 1_024;

/// Whether a query of another shape came before: the query that found the items.
fn follows_another(view: &View<'_>, parent: usize, first: usize, shape: &str) -> bool {
    let start = view.span(first).start_ns;
    let is_other = |place: usize| {
        let span = view.span(place);
        matches!(view.calls[place], Call::Database(_))
            && span.end_ns <= start
            && shape::of(span, view.calls[place]) != shape
    };
    // Below the parent, or below any span above it. Spans are in the order of their starts.
    let above = std::iter::once(parent).chain(view.above(parent));
    let above: Vec<usize> = above.take(HIGH).collect();
    (first.saturating_sub(BEFORE)..first).rev().any(|place| {
        is_other(place)
            && view.trace.parent(place).is_some_and(|theirs| {
                above.contains(&theirs)
                    || view
                        .above(theirs)
                        .take(3)
                        .any(|theirs| above.contains(&theirs))
            })
    })
}

/// Finds a pattern of a few siblings that is repeated, each time with a read in it.
fn by_group(
    view: &View<'_>,
    limits: &Thresholds,
    only_reads: &OnceCell<Vec<bool>>,
    (parent, children): (usize, &[usize]),
    found: &mut Vec<Finding>,
) {
    // A loop handles one item after another.
    if children.len() < limits.group_times || !one_after_another(view, children) {
        return;
    }
    let mut names: HashMap<(&str, Cow<'_, str>), u32> = HashMap::default();
    let words: Vec<u32> = children
        .iter()
        .map(|&child| {
            let span = view.span(child);
            let next = u32::try_from(names.len()).unwrap_or(u32::MAX);
            *names
                .entry((span.service(), shape::name(&span.name)))
                .or_insert(next)
        })
        .collect();
    let Some((from, length, times)) = repeated(&words, limits.group_length, limits.group_times)
    else {
        return;
    };
    let places = &children[from..from + length * times];
    let total: u64 = places.iter().map(|&place| view.ns(place)).sum();
    let reads = places.chunks(length).filter(|group| {
        let only_reads = only_reads.get_or_init(|| that_only_read(view));
        group.iter().any(|&place| only_reads[place])
    });
    // A single read in each turn is an N+1 by shape; there are too few reads for that here.
    let wraps = length > 1
        || !matches!(
            view.calls[places[0]],
            Call::Database(_) | Call::Http(_) | Call::Rpc
        );
    let enough = times >= limits.n_plus_one_queries || length > 1;
    if wraps && enough && total >= limits.n_plus_one_ns && reads.count() == times {
        found.push(group_finding(view, parent, places, length, times, total));
    }
}

fn group_finding(
    view: &View<'_>,
    parent: usize,
    places: &[usize],
    length: usize,
    times: usize,
    total: u64,
) -> Finding {
    let of_one = places
        .chunks(length)
        .map(|group| group.iter().map(|&place| view.ns(place)).sum());
    let longest: u64 = of_one.max().unwrap_or(0);
    let cost = view.cost(places).saturating_sub(longest);
    let pattern: Vec<&str> = places[..length]
        .iter()
        .map(|&place| view.span(place).name.as_str())
        .collect();
    let pattern = pattern.join(", ");
    let evidence = format!(
        "{times} times the same below {}, one after another, each with a read, {} together: {pattern}. \
         All at once would save some {}.",
        view.place(parent),
        format_ns(total),
        format_ns(cost)
    );
    Finding::new(&RULE, ids(view, parent, places), evidence)
        .costs(cost)
        .fact("count", times)
        .fact("shape", pattern)
        .fact("total_ms", ms(total))
        .fact("parent", view.place(parent))
}

/// For each span, whether it reads data, itself or in a span below it. Work that writes is a batch, even if it
/// also reads.
fn that_only_read(view: &View<'_>) -> Vec<bool> {
    let (mut reads, mut writes) = (vec![false; view.len()], vec![false; view.len()]);
    let order: Vec<usize> = view.trace.walk().map(|(place, _)| place).collect();
    for &place in order.iter().rev() {
        match view.calls[place] {
            Call::Database(Access::Write) | Call::Http(Access::Write) | Call::Messaging => {
                writes[place] = true;
            }
            Call::Database(Access::Read) | Call::Http(Access::Read) | Call::Rpc => {
                reads[place] = true;
            }
            Call::None | Call::Other => {}
        }
        if let Some(parent) = view.trace.parent(place) {
            reads[parent] |= reads[place];
            writes[parent] |= writes[place];
        }
    }
    reads
        .into_iter()
        .zip(writes)
        .map(|(reads, writes)| reads && !writes)
        .collect()
}

/// The longest repetition of a pattern: its start, its length, and the number of repetitions.
fn repeated(words: &[u32], longest: usize, times: usize) -> Option<(usize, usize, usize)> {
    let mut best: Option<(usize, usize, usize)> = None;
    for length in 1..=longest.min(words.len() / times) {
        let mut same = 0;
        for at in length..=words.len() {
            if at < words.len() && words[at] == words[at - length] {
                same += 1;
                continue;
            }
            let repeats = same / length + 1;
            let from = at - same - length;
            let covers = |best: (usize, usize, usize)| best.1 * best.2;
            if repeats >= times && best.is_none_or(|best| covers(best) < repeats * length) {
                best = Some((from, length, repeats));
            }
            same = 0;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_repetition_is_found() {
        assert_eq!(repeated(&[9, 1, 2, 1, 2, 1, 2, 7], 8, 3), Some((1, 2, 3)));
        assert_eq!(repeated(&[1, 1, 1], 8, 3), Some((0, 1, 3)));
        assert_eq!(repeated(&[1, 2, 1, 2], 8, 3), None);
        assert_eq!(repeated(&[], 8, 3), None);
    }
}
