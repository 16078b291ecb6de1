//! The critical path adds up to its root exactly, and goes where time is spent.

use proptest::prelude::*;
use trace::{Kind, Span, Trace, critical_path, critical_paths};

use testing::spans::{span, span_id, trace_id};

fn trace(spans: Vec<Span>) -> Trace {
    Trace::new(trace_id(), spans)
}

/// The path as names with milliseconds.
fn path(trace: &Trace) -> Vec<(String, u64)> {
    let path = critical_path(trace, trace.tops()[0]);
    path.segments
        .iter()
        .map(|segment| {
            let name = trace.span(segment.span).name.to_string();
            (name, (segment.end_ns - segment.start_ns) / 1_000_000)
        })
        .collect()
}

fn expect(trace: &Trace, wanted: &[(&str, u64)]) {
    let wanted: Vec<(String, u64)> = wanted
        .iter()
        .map(|(name, ms)| ((*name).to_owned(), *ms))
        .collect();
    assert_eq!(path(trace), wanted);
}

#[test]
fn calls_in_sequence_are_all_on_the_path_and_back_to_back_ones_too() {
    let trace = trace(vec![
        span(1, 0, "a", Kind::Server, "root", 0, 100),
        span(2, 1, "a", Kind::Client, "first", 10, 40),
        span(3, 1, "a", Kind::Client, "second", 40, 90),
    ]);
    expect(
        &trace,
        &[("root", 10), ("first", 30), ("second", 50), ("root", 10)],
    );
}

#[test]
fn of_calls_side_by_side_the_one_that_ends_last_is_on_the_path() {
    let trace = trace(vec![
        span(1, 0, "a", Kind::Server, "root", 0, 100),
        span(2, 1, "a", Kind::Client, "short", 10, 40),
        span(3, 1, "a", Kind::Client, "long", 10, 90),
    ]);
    expect(&trace, &[("root", 10), ("long", 80), ("root", 10)]);
}

#[test]
fn what_is_reached_through_a_message_has_a_path_of_its_own() {
    let trace = trace(vec![
        span(1, 0, "a", Kind::Server, "root", 0, 100),
        span(2, 1, "a", Kind::Producer, "send", 90, 95),
        span(3, 2, "b", Kind::Consumer, "process", 92, 300),
    ]);
    expect(&trace, &[("root", 90), ("send", 5), ("root", 5)]);
    let roots: Vec<String> = critical_paths(&trace)
        .iter()
        .map(|path| trace.span(path.root).name.to_string())
        .collect();
    assert_eq!(roots, ["root", "process"]);
}

#[test]
fn a_child_is_cut_off_where_it_sticks_out_and_left_out_where_it_is_elsewhere() {
    let trace = trace(vec![
        span(1, 0, "a", Kind::Server, "root", 100, 200),
        span(2, 1, "a", Kind::Internal, "late", 150, 900),
        span(3, 1, "a", Kind::Internal, "before", 0, 50),
    ]);
    expect(&trace, &[("root", 50), ("late", 50)]);
}

#[test]
fn a_clock_that_is_off_does_not_hide_where_the_time_went() {
    let trace = trace(vec![
        span(1, 0, "a", Kind::Client, "call", 1_000, 1_100),
        span(2, 1, "b", Kind::Server, "serve", 510, 590),
        span(3, 2, "b", Kind::Internal, "work", 520, 580),
    ]);
    expect(
        &trace,
        &[
            ("call", 10),
            ("serve", 10),
            ("work", 60),
            ("serve", 10),
            ("call", 10),
        ],
    );
}

#[test]
fn a_deep_chain_and_a_wide_fan_are_walked() {
    let chain = (1..=100_000).map(|id| span(id, id - 1, "a", Kind::Internal, "x", 0, 100));
    let deep = trace(chain.collect());
    assert_eq!(
        critical_path(&deep, deep.tops()[0]).total(),
        deep.duration()
    );
    let fan = (2..=100_000).map(|id| span(id, 1, "a", Kind::Internal, "x", id, id + 1));
    let root = span(1, 0, "a", Kind::Server, "root", 0, 200_000);
    let wide = trace(std::iter::once(root).chain(fan).collect());
    assert_eq!(
        critical_path(&wide, wide.tops()[0]).total(),
        wide.duration()
    );
}

/// Any times, any parents: cycles, absent parents, ids that are there twice, ends before starts.
fn hostile_span() -> impl Strategy<Value = Span> {
    let time = prop_oneof![
        3 => 0u64..200,
        1 => Just(u64::MAX),
        1 => any::<u64>(),
    ];
    let kind = prop_oneof![
        Just(Kind::Internal),
        Just(Kind::Client),
        Just(Kind::Server),
        Just(Kind::Producer),
        Just(Kind::Consumer),
    ];
    (1u64..12, 0u64..14, kind, time.clone(), time).prop_map(|(id, parent, kind, start, end)| Span {
        start_ns: start,
        end_ns: end,
        parent_span_id: (parent != 0).then(|| span_id(parent)),
        ..span(id, 0, "a", kind, "x", 0, 0)
    })
}

proptest! {
    #[test]
    fn the_segments_of_any_tree_are_adjacent_and_add_up_to_the_root(
        spans in prop::collection::vec(hostile_span(), 1..40)
    ) {
        let trace = trace(spans);
        for path in critical_paths(&trace) {
            let root = trace.span(path.root);
            let end = root.end_ns.max(root.start_ns);
            let mut at = root.start_ns;
            for segment in &path.segments {
                prop_assert_eq!(segment.start_ns, at);
                prop_assert!(segment.end_ns > segment.start_ns);
                at = segment.end_ns;
            }
            prop_assert_eq!(at, end);
            prop_assert_eq!(path.total(), root.duration());
        }
    }
}
