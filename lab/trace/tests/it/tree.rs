//! Whatever the spans say of their parents, each is reached exactly once.

use std::collections::HashSet;

use proptest::{collection::vec, prelude::*};
use trace::{Kind, Span, Top, Trace};

use testing::spans::{healthy, span, trace_id};

/// A trace of internal spans from ids and parents, each a millisecond after the one before.
fn tree(spans: &[(u64, u64)]) -> Trace {
    let spans: Vec<Span> = (0..)
        .zip(spans)
        .map(|(at, &(id, parent))| {
            span(
                id,
                parent,
                "s",
                Kind::Internal,
                &format!("span {id}"),
                at,
                at + 1,
            )
        })
        .collect();
    Trace::new(trace_id(), spans)
}

fn names(trace: &Trace) -> Vec<(&str, usize)> {
    trace
        .walk()
        .map(|(index, depth)| (trace.span(index).name.as_str(), depth))
        .collect()
}

#[test]
fn parents_come_before_children_and_siblings_by_start() {
    let trace = tree(&[(1, 0), (3, 2), (2, 1), (4, 1)]);
    assert_eq!(
        names(&trace),
        [("span 1", 0), ("span 2", 1), ("span 3", 2), ("span 4", 1)]
    );
}

#[test]
fn a_span_without_its_parent_is_an_orphan_and_one_that_names_none_a_root() {
    let trace = tree(&[(1, 0), (2, 9), (3, 0)]);
    assert_eq!(trace.roots().collect::<Vec<_>>(), [0, 2]);
    assert_eq!(trace.orphans().collect::<Vec<_>>(), [1]);
    assert_eq!(trace.top(1), Some(Top::Orphan));
}

#[test]
fn a_cycle_is_cut_above_its_earliest_span() {
    let trace = tree(&[(1, 3), (2, 1), (3, 2), (4, 3)]);
    assert_eq!(trace.tops(), [0]);
    assert_eq!(trace.top(0), Some(Top::Cycle));
    assert_eq!(
        names(&trace),
        [("span 1", 0), ("span 2", 1), ("span 3", 2), ("span 4", 3)]
    );
}

#[test]
fn a_span_that_is_its_own_parent_stands_at_the_top() {
    let trace = tree(&[(1, 1), (2, 1)]);
    assert_eq!(trace.top(0), Some(Top::Cycle));
    assert_eq!(names(&trace), [("span 1", 0), ("span 2", 1)]);
}

#[test]
fn children_of_an_id_that_is_there_twice_belong_to_the_earliest_span_with_it() {
    let trace = tree(&[(1, 0), (2, 1), (2, 1), (3, 2)]);
    assert_eq!(trace.children(0), [1, 2]);
    assert_eq!(trace.children(1), [3]);
    assert_eq!(trace.children(2), [] as [usize; 0]);
}

#[test]
fn a_chain_of_a_hundred_thousand_spans_is_walked_to_its_end() {
    let trace = tree(&(1..=100_000).map(|id| (id, id - 1)).collect::<Vec<_>>());
    assert_eq!(trace.walk().last(), Some((99_999, 99_999)));
}

#[test]
fn spans_of_several_traces_are_sorted_into_theirs() {
    let mut spans = healthy();
    let other = "11112222333344445555666677778888".parse().unwrap();
    let mut early = span(1, 0, "s", Kind::Server, "early", 0, 1);
    early.trace_id = other;
    early.start_ns -= 1;
    spans.insert(5, early);
    let traces = trace::tree::group(spans);
    let found: Vec<_> = traces
        .iter()
        .map(|trace| (trace.id(), trace.spans().len()))
        .collect();
    assert_eq!(found, [(other, 1), (trace_id(), 27)]);
}

#[test]
fn a_trace_says_when_it_was_and_who_took_part() {
    let trace = Trace::new(trace_id(), healthy());
    assert_eq!(trace.duration().as_millis(), 201);
    assert_eq!(
        trace.services(),
        ["checkout", "inventory", "payment", "email"]
    );
    assert_eq!(trace.errors(), 0);
}

proptest! {
    /// Few ids, so that duplicates, self-parents, cycles and orphans are the rule.
    #[test]
    fn every_span_is_reached_exactly_once(spans in vec((1..12_u64, 0..14_u64), 0..40)) {
        let trace = tree(&spans);
        let mut walked: Vec<usize> = trace.walk().map(|(index, _)| index).collect();
        let mut depths = vec![None; spans.len()];
        for (index, depth) in trace.walk() {
            let above = trace.parent(index).map(|parent| depths[parent].expect("parents come first"));
            prop_assert_eq!(depth, above.map_or(0, |above: usize| above + 1));
            depths[index] = Some(depth);
        }
        walked.sort_unstable();
        prop_assert_eq!(walked, (0..spans.len()).collect::<Vec<_>>());
        for index in 0..spans.len() {
            prop_assert_eq!(trace.top(index).is_some(), trace.parent(index).is_none());
        }
    }

    /// Why a span is at the top follows from the ids alone.
    #[test]
    fn the_reason_for_a_top_is_the_true_one(spans in vec((1..12_u64, 0..14_u64), 0..40)) {
        let trace = tree(&spans);
        let ids: HashSet<_> = trace.spans().iter().map(|span| span.span_id).collect();
        for &top in trace.tops() {
            let expected = match trace.span(top).parent_span_id {
                None => Top::Root,
                Some(parent) if ids.contains(&parent) => Top::Cycle,
                Some(_) => Top::Orphan,
            };
            prop_assert_eq!(trace.top(top), Some(expected));
        }
    }
}
