//! Times, references, conditions and rules of the whole trace.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[allow(dead_code, reason = "each test binary uses some of it")]
mod shop;

use std::time::Duration;

use expect::{Observed, Report, Twin, Verdict, check, check_with};
use scenario::Expectation;
use shop::Shop;
use trace::{Kind, Span, SpanId, Trace, Value};

fn expectation(text: &str) -> Expectation {
    let text = format!(
        "name: x\ntitle: X\ntarget: http://x\njourney: {{ requests: [{{ path: / }}] }}\n\
         load: {{ requests: 1, users: 1 }}\nexpect:\n{text}\n"
    );
    scenario::parse("x.yaml", &text)
        .unwrap_or_else(|error| panic!("{error}"))
        .expect
}

/// A root from 0 to 100 ms with children that have a name and a time.
struct Tree(Shop, SpanId);

impl Tree {
    fn new() -> Tree {
        let mut shop = Shop { spans: Vec::new() };
        let root = shop.add(None, "a", "root", Kind::Server);
        let mut tree = Tree(shop, root);
        tree.last(0, 100);
        tree
    }

    fn last(&mut self, from: u64, to: u64) -> &mut Span {
        let span = self.0.spans.last_mut().unwrap();
        (span.start_ns, span.end_ns) = (from * 1_000_000, to * 1_000_000);
        span
    }

    fn child(&mut self, name: &str, from: u64, to: u64) -> &mut Span {
        self.0.add(Some(self.1), "b", name, Kind::Client);
        self.last(from, to)
    }

    fn trace(&self) -> Trace {
        self.0.trace()
    }
}

fn set(span: &mut Span, key: &str, value: impl Into<Value>) {
    span.attributes.0.push((key.into(), value.into()));
}

fn judge(text: &str, tree: &Tree) -> Report {
    check(&expectation(text), &tree.trace(), &[])
}

fn passes(text: &str, tree: &Tree) {
    let report = judge(text, tree);
    assert_eq!(
        report.verdict,
        Verdict::Pass,
        "{}",
        report.text(text, "", false)
    );
}

fn fails(text: &str, tree: &Tree, words: &str) {
    let report = judge(text, tree);
    let said = report.text(text, "", false);
    assert_eq!(report.verdict, Verdict::Fail, "{said}");
    assert!(said.contains(words), "{words:?} is not in\n{said}");
}

#[test]
fn several_spans_are_parallel_or_sequential() {
    let mut stairs = Tree::new();
    stairs.child("x", 0, 10);
    stairs.child("x", 10, 20);
    let mut beside = Tree::new();
    beside.child("x", 0, 10);
    beside.child("x", 5, 20);
    let node = |word: &str| {
        format!(
            "  tree: [{{ span: {{ name: root }}, children: [{{ span: {{ name: x }}, times: 2, {word}: true }}] }}]"
        )
    };
    passes(&node("sequential"), &stairs);
    fails(&node("parallel"), &stairs, "has ended when");
    passes(&node("parallel"), &beside);
    fails(&node("sequential"), &beside, "has ended");
}

#[test]
fn spans_with_names_lie_in_an_order() {
    let mut tree = Tree::new();
    tree.child("x", 0, 30);
    tree.child("y", 20, 40);
    let node = |among: &str| {
        format!(
            "  tree:\n    - span: {{ name: root }}\n      {among}\n      children:\n        \
             - span: {{ name: x, as: x }}\n        - span: {{ name: y, as: y }}"
        )
    };
    passes(&node("order: [x, y]"), &tree);
    passes(&node("parallel: [x, y]"), &tree);
    fails(&node("order: [y, x]"), &tree, "$x starts before $y");
    fails(
        &node("sequential: [x, y]"),
        &tree,
        "$y starts before $x has ended",
    );
}

#[test]
fn a_duration_is_held_against_the_parent_and_the_twin() {
    let mut tree = Tree::new();
    tree.child("x", 10, 60);
    let node = |wants: &str| {
        format!(
            "  tree: [{{ span: {{ name: root }}, children: [{{ span: {{ name: x }}, duration: [{wants}] }}] }}]"
        )
    };
    passes(&node("\">= 50% of parent\", \">= 40ms\""), &tree);
    fails(&node("\"> 50% of parent\""), &tree, "50.0% of parent");

    let mut fast = Tree::new();
    fast.child("x", 10, 20);
    let asked = expectation(&node("\">= 4x twin\""));
    let trace = tree.trace();
    let with = |twin: Option<&Twin>, asked: &Expectation| {
        check_with(
            asked,
            Observed {
                trace: &trace,
                related: &[],
                arrival: None,
                twin,
            },
        )
        .verdict
    };
    let twin = Twin::measure(&asked, &[(fast.trace(), Vec::new())]);
    assert_eq!(with(Some(&twin), &asked), Verdict::Pass);
    assert_eq!(with(None, &asked), Verdict::Unsupported);
    let more = expectation(&node("\">= 6x twin\""));
    let twin = Twin::measure(&more, &[(fast.trace(), Vec::new())]);
    assert_eq!(with(Some(&twin), &more), Verdict::Fail);
}

#[test]
fn a_span_lies_within_its_parent_or_does_not() {
    let mut tree = Tree::new();
    tree.child("in", 0, 100);
    tree.child("out", 90, 110);
    // Some SDKs cut a start to whole milliseconds, and the end moves with it.
    tree.child("clock", 97, 101);
    tree.child("short", 100, 101);
    let node = |name: &str, within: bool| {
        format!(
            "  tree: [{{ span: {{ name: root }}, children: [{{ span: {{ name: {name} }}, within-parent: {within} }}] }}]"
        )
    };
    passes(&node("in", true), &tree);
    passes(&node("out", false), &tree);
    passes(&node("clock", true), &tree);
    passes(&node("clock", false), &tree);
    passes(&node("short", false), &tree);
    fails(&node("short", true), &tree, "within-parent");
    fails(&node("out", true), &tree, "within-parent");
    fails(&node("in", false), &tree, "within-parent");
}

#[test]
fn an_ancestor_may_be_far_above() {
    let mut tree = Tree::new();
    let id = tree.child("x", 0, 10).span_id;
    tree.0.add(Some(id), "b", "y", Kind::Internal);
    let node = |ancestor: &str| {
        format!(
            "  tree: [{{ span: {{ name: y }}, any-depth: true, ancestor: {{ name: {ancestor} }} }}]"
        )
    };
    passes(&node("root"), &tree);
    fails(&node("z"), &tree, "ancestor");
}

#[test]
fn a_value_is_that_of_another_span_type_included() {
    let mut tree = Tree::new();
    set(tree.0.spans.last_mut().unwrap(), "id", 7);
    set(tree.child("x", 0, 10), "id", 7);
    set(tree.child("y", 0, 10), "id", "7");
    let node = |name: &str, value: &str| {
        format!(
            "  tree: [{{ span: {{ name: root, as: r }}, children: [{{ span: {{ name: {name} }}, attributes: {{ id: {value} }} }}] }}]"
        )
    };
    passes(&node("x", "$r.id"), &tree);
    fails(&node("y", "$r.id"), &tree, "the same as $r.id");
    fails(&node("x", "$r.other"), &tree, "the same as $r.other");
}

#[test]
fn of_like_spans_the_one_is_found_that_the_reference_needs() {
    // Two producers and two consumers that can be told apart by their ids only, beside each other.
    let mut tree = Tree::new();
    set(tree.child("send", 0, 1), "id", "one");
    set(tree.child("send", 1, 2), "id", "two");
    set(tree.child("take", 2, 3), "id", "two");
    set(tree.child("take", 3, 4), "id", "one");
    passes(
        "  tree:\n    - span: { name: root }\n      children:\n        \
         - span: { name: send, as: a }\n        - span: { name: send, as: b }\n        \
         - { span: { name: take }, attributes: { id: $a.id } }\n        \
         - { span: { name: take }, attributes: { id: $b.id } }",
        &tree,
    );
}

#[test]
fn a_node_applies_only_when_its_condition_holds() {
    let text = "  tree:\n    - span: { name: root }\n      children:\n        \
                - span: { name: cache, as: cache }\n        \
                - { span: { name: query }, when: \"$cache.hit == false\" }\n        \
                - { span: { name: query }, times: 0, when: \"$cache.hit == true\" }";
    let tree = |hit: bool, query: bool| {
        let mut tree = Tree::new();
        set(tree.child("cache", 0, 1), "hit", hit);
        if query {
            tree.child("query", 1, 2);
        }
        tree
    };
    passes(text, &tree(true, false));
    passes(text, &tree(false, true));
    fails(text, &tree(true, true), "query");
    fails(text, &tree(false, false), "MISSING");
    let mut dropped = tree(true, false);
    let cache = dropped.0.spans.last_mut().unwrap();
    cache.attributes.0.clear();
    cache.dropped_attributes = 1;
    assert_eq!(judge(text, &dropped).verdict, Verdict::Unsupported);
}

#[test]
fn a_forbidden_call_is_named() {
    let mut tree = Tree::new();
    let id = tree.child("x", 0, 10).span_id;
    tree.0.add(Some(id), "c", "y", Kind::Server);
    fails(
        "  forbid: [{ from: b, to: c }]",
        &tree,
        "forbid: from b to c",
    );
    passes("  forbid: [{ from: a, to: c }]", &tree);
    fails(
        "  forbid: [{ from: a, to: c, any-depth: true }]",
        &tree,
        "forbid: from a to c",
    );
    passes("  forbid: [{ from: c, to: b, any-depth: true }]", &tree);
}

#[test]
fn the_critical_path_goes_through_what_takes_most_of_it() {
    let mut tree = Tree::new();
    tree.child("x", 10, 80);
    passes("  critical-path: { through: b, share: \">= 70%\" }", &tree);
    fails(
        "  critical-path: { through: b, share: \">= 71%\" }",
        &tree,
        "70.0% (70.0 of 100.0 ms)",
    );
}

#[test]
fn the_rules_of_the_whole_trace_apply_only_when_their_condition_holds() {
    let mut tree = Tree::new();
    set(tree.child("x", 10, 80), "big", true);
    let text = |wanted: bool| {
        format!(
            "  tree: [{{ span: {{ name: x, as: x }}, any-depth: true }}]\n  \
             forbid: [{{ from: a, to: b }}]\n  when: \"$x.big == {wanted}\""
        )
    };
    fails(&text(true), &tree, "forbid");
    passes(&text(false), &tree);
}

#[test]
fn spans_that_are_there_twice_are_counted() {
    let mut tree = Tree::new();
    tree.child("x", 0, 1);
    passes("  trace: { duplicates: 0 }", &tree);
    let again = tree.0.spans.last().unwrap().clone();
    tree.0.spans.push(again);
    passes("  trace: { duplicates: 1 }", &tree);
    fails("  trace: { duplicates: 0 }", &tree, "duplicates");
}

#[test]
fn a_span_elsewhere_stands_at_the_top_of_a_related_trace_only() {
    let text = "  tree:\n    - span: { name: root }\n    \
                - { elsewhere: true, span: { name: far }, children: [{ span: { name: y } }] }";
    let asked = expectation(text);
    let tree = Tree::new();
    let mut far = Shop { spans: Vec::new() };
    let id = far.add(None, "c", "far", Kind::Server);
    far.add(Some(id), "c", "y", Kind::Client);
    let other = trace::TraceId::from_bytes([9; 16]).unwrap();
    far.spans.iter_mut().for_each(|span| span.trace_id = other);
    let far = Trace::new(other, far.spans);
    assert_eq!(check(&asked, &tree.trace(), &[far]).verdict, Verdict::Pass);
    assert_eq!(check(&asked, &tree.trace(), &[]).verdict, Verdict::Fail);
    let mut here = Tree::new();
    here.0.add(None, "c", "far", Kind::Server);
    assert_eq!(check(&asked, &here.trace(), &[]).verdict, Verdict::Fail);
}

#[test]
fn when_a_trace_arrived_is_known_only_of_one_that_was_received() {
    let asked = expectation("  trace: { arrival: \">= 1s\" }");
    let trace = Tree::new().trace();
    let with = |arrival| {
        let observed = Observed {
            trace: &trace,
            related: &[],
            arrival,
            twin: None,
        };
        check_with(&asked, observed).verdict
    };
    assert_eq!(with(Some(Duration::from_secs(2))), Verdict::Pass);
    assert_eq!(with(Some(Duration::from_millis(20))), Verdict::Fail);
    assert_eq!(with(None), Verdict::Unsupported);
}

#[test]
fn arrays_and_bytes_are_values() {
    let mut tree = Tree::new();
    let span = tree.child("x", 0, 1);
    set(span, "list", Value::Array(vec![1.into(), "a".into()]));
    set(span, "raw", Value::Bytes(vec![1, 2, 3]));
    let node = |attributes: &str| {
        format!(
            "  tree: [{{ span: {{ name: x }}, any-depth: true, attributes: {{ {attributes} }} }}]"
        )
    };
    passes(
        &node("list: { array: [1, a] }, raw: { bytes: AQID }"),
        &tree,
    );
    fails(&node("list: { array: [a, 1] }"), &tree, "list");
    fails(&node("raw: { bytes: AQIE }"), &tree, "raw");
}
