//! What each word of the language means for a trace.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[allow(dead_code, reason = "each test binary uses some of it")]
mod shop;

use std::sync::Arc;

use expect::{Mark, Report, Settle, Verdict, check, settled};
use scenario::Expectation;
use shop::{Shop, exception, trace_id};
use testing::{spans::link_to, traces::SpanExt};
use trace::{Kind, Span, SpanId, Trace, TraceId};

/// An expectation from the text that stands under `expect:`, each line indented by two.
fn expectation(text: &str) -> Expectation {
    // A service of the user's own, so that spans may have any names.
    let text = format!(
        "name: x\ntitle: X\ntarget: http://x\njourney: {{ requests: [{{ path: / }}] }}\n\
         load: {{ requests: 1, users: 1 }}\nexpect:\n{text}\n"
    );
    scenario::parse("x.yaml", &text)
        .unwrap_or_else(|error| panic!("{error}"))
        .expect
}

fn verdict(expectation: &Expectation, shop: &Shop) -> Verdict {
    check(expectation, &shop.trace(), &[]).verdict
}

fn text(report: &Report) -> String {
    report.text("x", "", false)
}

/// A root with children of a name.
fn fan(name: &str, count: usize) -> Shop {
    let mut shop = Shop { spans: Vec::new() };
    let root = shop.add(None, "inventory", "GET /prices", Kind::Server);
    for _ in 0..count {
        shop.add(Some(root), "inventory", name, Kind::Client);
    }
    shop
}

/// An expectation of children of the root of [`fan`].
fn of_fan(more: &str, children: &[&str]) -> Expectation {
    let children: String = children
        .iter()
        .map(|child| format!("        - {child}\n"))
        .collect();
    let list = if children.is_empty() { " []\n" } else { "\n" };
    expectation(&format!(
        "  tree:\n    - span: {{ service: inventory, name: GET /prices, kind: server }}\n      {more}\n      children:{list}{children}"
    ))
}

#[test]
fn times_counts_the_children_that_fit() {
    let select = "span: { name: SELECT products, kind: client }";
    let cases = [
        ("1", 1, Verdict::Pass),
        ("1", 2, Verdict::Fail),
        ("1", 0, Verdict::Fail),
        ("3", 3, Verdict::Pass),
        ("3", 2, Verdict::Fail),
        ("3", 4, Verdict::Fail),
        ("2..3", 1, Verdict::Fail),
        ("2..3", 3, Verdict::Pass),
        ("2..3", 4, Verdict::Fail),
        ("2..", 200, Verdict::Pass),
        ("..2", 0, Verdict::Pass),
        ("..2", 3, Verdict::Fail),
        ("0", 0, Verdict::Pass),
        ("0", 1, Verdict::Fail),
    ];
    for (times, count, want) in cases {
        let expectation = of_fan("", &[&format!("{{ {select}, times: {times} }}")]);
        let report = check(&expectation, &fan("SELECT products", count).trace(), &[]);
        assert_eq!(
            report.verdict,
            want,
            "times: {times}, {count} spans\n{}",
            text(&report)
        );
    }
}

#[test]
fn a_tree_is_open_unless_it_is_closed() {
    let shop = fan("SELECT products", 2);
    assert_eq!(verdict(&of_fan("", &[]), &shop), Verdict::Pass);
    assert_eq!(verdict(&of_fan("closed: true", &[]), &shop), Verdict::Fail);
    let listed = "{ span: { kind: client }, times: 1.. }";
    assert_eq!(
        verdict(&of_fan("closed: true", &[listed]), &shop),
        Verdict::Pass
    );
    let anywhere = "{ span: { kind: client }, times: 1.., any-depth: true }";
    assert_eq!(
        verdict(&of_fan("closed: true", &[anywhere]), &shop),
        Verdict::Pass
    );
}

#[test]
fn a_span_is_never_called_missing_for_what_is_below_it() {
    let expectation = of_fan("", &["{ span: { name: SELECT products }, times: 1 }"]);
    let report = check(&expectation, &fan("SELECT products", 200).trace(), &[]);
    let root = &report.tree[0];
    assert_eq!(
        (report.tree.len(), root.mark),
        (1, Mark::Same),
        "{}",
        text(&report)
    );
    let excess = root.children.last().unwrap();
    assert_eq!(
        (excess.mark, excess.times),
        (Mark::Unexpected, 199),
        "{}",
        text(&report)
    );
}

#[test]
fn nodes_share_out_the_children() {
    // The general node alone would take both; the special one needs one of them.
    let general = "{ span: { kind: client } }";
    let special = "{ span: { kind: client, name: SELECT stock } }";
    let mut shop = fan("SELECT stock", 1);
    let root = shop.spans[0].span_id;
    shop.add(Some(root), "inventory", "SELECT products", Kind::Client);
    for children in [[general, special], [special, general]] {
        assert_eq!(verdict(&of_fan("", &children), &shop), Verdict::Pass);
    }
    assert_eq!(verdict(&of_fan("", &[general]), &shop), Verdict::Fail);
}

#[test]
fn what_must_not_be_there_may_not_hide_behind_another_node() {
    let any = "{ span: { kind: client }, times: 1.. }";
    let failed = "{ span: { kind: client }, status: error, times: 0 }";
    let mut shop = fan("SELECT products", 3);
    assert_eq!(verdict(&of_fan("", &[any, failed]), &shop), Verdict::Pass);
    shop.spans[2].fails("failed");
    let report = check(&of_fan("", &[any, failed]), &shop.trace(), &[]);
    assert_eq!(report.verdict, Verdict::Fail);
    let excess = report.tree[0]
        .children
        .iter()
        .find(|line| line.mark == Mark::Unexpected);
    let note = excess.and_then(|line| line.note.as_deref());
    assert_eq!(note, Some("times: 0"), "{}", text(&report));
}

#[test]
fn every_child_that_fits_must_have_the_children_of_its_node() {
    let node = "{ span: { name: GET }, times: 1.., children: [{ span: { kind: server } }] }";
    let mut shop = fan("GET", 2);
    let calls = [shop.spans[1].span_id, shop.spans[2].span_id];
    shop.add(Some(calls[0]), "inventory", "GET /stock", Kind::Server);
    assert_eq!(verdict(&of_fan("", &[node]), &shop), Verdict::Fail);
    shop.add(Some(calls[1]), "inventory", "GET /stock", Kind::Server);
    assert_eq!(verdict(&of_fan("", &[node]), &shop), Verdict::Pass);
}

#[test]
fn any_depth_looks_below_and_not_elsewhere() {
    let shop = Shop::healthy();
    let node = |under: &str| {
        expectation(&format!(
            "  tree:\n    - any-depth: true\n      span: {{ name: {under}, kind: internal }}\n      children:\n        - any-depth: true\n          span: {{ service: email, kind: consumer }}"
        ))
    };
    assert_eq!(verdict(&node("process_order"), &shop), Verdict::Pass);
    assert_eq!(verdict(&node("fetch_items"), &shop), Verdict::Fail);
}

#[test]
fn counts_are_of_the_whole_trace() {
    let mut shop = Shop::healthy();
    let spans = shop.spans.len();
    let counts = |roots, orphans, spans, errors| {
        expectation(&format!(
            "  trace: {{ roots: {roots}, orphans: {orphans}, spans: {spans}, errors: {errors} }}"
        ))
    };
    assert_eq!(verdict(&counts(1, 0, spans, 0), &shop), Verdict::Pass);
    assert_eq!(verdict(&counts(2, 0, spans, 0), &shop), Verdict::Fail);
    assert_eq!(verdict(&counts(1, 1, spans, 0), &shop), Verdict::Fail);
    assert_eq!(verdict(&counts(1, 0, spans + 1, 0), &shop), Verdict::Fail);
    assert_eq!(verdict(&counts(1, 0, spans, 1), &shop), Verdict::Fail);
    shop.span("fraud check", Kind::Internal).fails("failed");
    assert_eq!(verdict(&counts(1, 0, spans, 1), &shop), Verdict::Pass);
}

#[test]
fn an_expectation_of_what_is_not_there_fails_on_a_trace_without_spans() {
    let absent = expectation("  tree: [{ span: { kind: client }, times: 0 }]");
    let nothing = Shop { spans: Vec::new() };
    assert_eq!(verdict(&absent, &nothing), Verdict::Fail);
}

#[test]
fn a_trace_is_settled_when_its_counts_hold() {
    let want = expectation("  trace: { roots: 1, orphans: 0, spans: 20..40, errors: 0 }");
    let mut shop = Shop::healthy();
    shop.span("render", Kind::Internal).fails("failed");
    assert_eq!(
        settled(&want, &shop.trace()),
        Settle::Ready,
        "errors do not delay it"
    );

    shop.spans.retain(|span| span.name != "process_order");
    let Settle::Waiting { reason } = settled(&want, &shop.trace()) else {
        panic!("a trace with orphans is not settled")
    };
    assert_eq!(reason, "orphans: want 0, got 5");
    shop.spans.clear();
    let Settle::Waiting { reason } = settled(&want, &shop.trace()) else {
        panic!("no spans are no trace")
    };
    assert_eq!(reason, "roots: want 1, got 0; spans: want 20..40, got 0");

    let nothing_said = expectation("  tree: [{ span: { kind: server } }]");
    assert!(matches!(
        settled(&nothing_said, &shop.trace()),
        Settle::Waiting { .. }
    ));
}

#[test]
fn what_was_dropped_by_the_sender_is_unsupported_and_does_not_pass() {
    type Change = fn(&mut Span);
    let cases: [(&str, Change); 5] = [
        ("attributes: { a: absent }", |span| {
            span.dropped_attributes = 1
        }),
        ("attributes: { a: 1 }", |span| span.dropped_attributes = 1),
        ("resource: { a: present }", |span| {
            Arc::make_mut(&mut span.resource).dropped_attributes = 1
        }),
        ("events: [{ name: exception, times: 0 }]", |span| {
            span.dropped_events = 1
        }),
        (
            "events: [{ name: exception, attributes: { a: 1 } }]",
            |span| {
                span.events.push(exception("Timeout"));
                span.events[0].dropped_attributes = 1;
            },
        ),
    ];
    for (field, change) in cases {
        let node = format!("{{ span: {{ name: SELECT products }}, {field} }}");
        let mut shop = fan("SELECT products", 1);
        change(&mut shop.spans[1]);
        let report = check(&of_fan("", &[&node]), &shop.trace(), &[]);
        assert_eq!(
            report.verdict,
            Verdict::Unsupported,
            "{field}\n{}",
            text(&report)
        );
        assert_eq!(report.tree[0].children[0].mark, Mark::Unsupported);
    }
    // What is wrong whatever was dropped is still wrong.
    let mut shop = fan("SELECT products", 1);
    shop.spans[1].dropped_attributes = 1;
    let node = "{ span: { name: SELECT products }, attributes: { a: 1 }, status: error }";
    assert_eq!(verdict(&of_fan("", &[node]), &shop), Verdict::Fail);
    // A span that may be one that must not be there is neither.
    let node = "{ span: { name: SELECT products }, attributes: { a: 1 }, times: 0 }";
    assert_eq!(verdict(&of_fan("", &[node]), &shop), Verdict::Unsupported);
}

/// The healthy checkout with its consumer in a trace of its own.
fn two_traces() -> (Trace, Trace) {
    let mut shop = Shop::healthy();
    let other = TraceId::from_bytes([9; 16]).unwrap();
    let (mine, mut theirs): (Vec<_>, Vec<_>) = std::mem::take(&mut shop.spans)
        .into_iter()
        .partition(|span| span.service() == "checkout" || span.service() == "inventory");
    theirs.retain(|span| span.service() == "email");
    for span in &mut theirs {
        span.trace_id = other;
    }
    theirs[0].parent_span_id = None;
    (Trace::new(trace_id(), mine), Trace::new(other, theirs))
}

const LINKED: &str = "  trace: { roots: 1 }
  tree:
    - any-depth: true
      span: { kind: producer, as: producer }
    - span: { service: email, kind: consumer }
      links: [{ to: $producer }]
      children: [{ span: { name: render } }]";

#[test]
fn a_linked_span_may_stand_in_a_related_trace() {
    let (mine, theirs) = two_traces();
    let want = expectation(LINKED);
    let report = check(&want, &mine, std::slice::from_ref(&theirs));
    assert_eq!(report.verdict, Verdict::Pass, "{}", text(&report));
    assert_eq!(check(&want, &mine, &[]).verdict, Verdict::Fail);

    let mut swapped = theirs.spans().to_vec();
    swapped[0].links = vec![link_to(trace_id(), SpanId::from_bytes([1; 8]).unwrap())];
    let report = check(&want, &mine, &[Trace::new(theirs.id(), swapped)]);
    assert_eq!(report.verdict, Verdict::Fail);
    assert!(
        text(&report).contains("link $producer"),
        "{}",
        text(&report)
    );
}

#[test]
fn a_related_trace_stands_in_for_nothing_but_what_is_linked() {
    let (_, theirs) = two_traces();
    let want = expectation("  tree: [{ span: { service: email, kind: consumer } }]");
    let mine = fan("SELECT products", 1).trace();
    assert_eq!(check(&want, &mine, &[theirs]).verdict, Verdict::Fail);
}

#[test]
fn links_tell_like_siblings_apart() {
    // Two consumers that differ in nothing but the producer that they link to.
    let want = expectation(
        "  tree:
    - span: { kind: server }
      children:
        - span: { name: send a, as: a }
        - span: { name: send b, as: b }
        - span: { kind: consumer }
          links: [{ to: $a }]
        - span: { kind: consumer }
          links: [{ to: $b }]",
    );
    let shop = |first: usize, second: usize| {
        let mut shop = Shop { spans: Vec::new() };
        let root = shop.add(None, "checkout", "POST /checkout", Kind::Server);
        let sent =
            ["send a", "send b"].map(|name| shop.add(Some(root), "checkout", name, Kind::Producer));
        for to in [first, second] {
            shop.add(Some(root), "email", "process", Kind::Consumer);
            shop.spans
                .last_mut()
                .unwrap()
                .links
                .push(link_to(trace_id(), sent[to]));
        }
        shop
    };
    assert_eq!(verdict(&want, &shop(0, 1)), Verdict::Pass);
    assert_eq!(verdict(&want, &shop(1, 0)), Verdict::Pass);
    assert_eq!(verdict(&want, &shop(0, 0)), Verdict::Fail);
}

#[test]
fn a_link_to_a_span_above_is_to_the_one_above() {
    let want = expectation(
        "  tree:
    - span: { kind: server }
      children:
        - span: { kind: producer, as: producer }
          times: 2
          children:
            - span: { kind: consumer }
              links: [{ to: $producer }]",
    );
    let shop = |crossed: bool| {
        let mut shop = Shop { spans: Vec::new() };
        let root = shop.add(None, "checkout", "POST /checkout", Kind::Server);
        let sent = [0, 1].map(|_| shop.add(Some(root), "checkout", "send", Kind::Producer));
        for (index, producer) in sent.into_iter().enumerate() {
            shop.add(Some(producer), "email", "process", Kind::Consumer);
            let to = sent[if crossed { 1 - index } else { index }];
            shop.spans
                .last_mut()
                .unwrap()
                .links
                .push(link_to(trace_id(), to));
        }
        shop
    };
    assert_eq!(verdict(&want, &shop(false)), Verdict::Pass);
    assert_eq!(verdict(&want, &shop(true)), Verdict::Fail);
}

#[test]
fn a_fan_of_10_000_spans_is_matched_exactly() {
    let mut shop = fan("SELECT products", 10_000);
    for (index, span) in shop.spans.iter_mut().enumerate() {
        // Many different costs, so that few spans are equal to the search.
        let number = i64::try_from(index).unwrap();
        span.attributes = [
            ("batch", number % 7),
            ("row", number % 11),
            ("page", number % 13),
        ]
        .into_iter()
        .collect();
    }
    let child = |batch: usize| {
        format!(
            "{{ span: {{ name: SELECT products }}, times: 1..9999, attributes: {{ batch: {batch}, row: {{ int: 0.. }}, page: {{ int: 0..11 }} }} }}"
        )
    };
    let children: Vec<String> = (0..7).map(child).collect();
    let children: Vec<&str> = children.iter().map(String::as_str).collect();
    let report = check(&of_fan("", &children), &shop.trace(), &[]);
    assert_eq!(report.verdict, Verdict::Pass, "{}", text(&report));

    let all =
        "{ span: { name: SELECT products }, times: 10000, attributes: { page: { int: 0.. } } }";
    assert_eq!(
        verdict(&of_fan("closed: true", &[all]), &shop),
        Verdict::Pass
    );
    shop.spans[5_000].attributes.0.clear();
    let report = check(&of_fan("closed: true", &[all]), &shop.trace(), &[]);
    assert_eq!(report.verdict, Verdict::Fail);
    assert!(
        text(&report).contains("page  want int 0..  got absent"),
        "{}",
        text(&report)
    );
}

#[test]
fn a_chain_of_100_000_spans_does_not_run_out_of_stack() {
    let mut shop = Shop { spans: Vec::new() };
    let mut parent = None;
    for _ in 0..100_000 {
        parent = Some(shop.add(parent, "checkout", "step", Kind::Internal));
    }
    shop.add(parent, "checkout", "last", Kind::Internal);
    let want = expectation(
        "  tree: [{ span: { name: step }, children: [{ span: { name: last }, any-depth: true }] }]",
    );
    let report = check(&want, &shop.trace(), &[]);
    assert_eq!(report.verdict, Verdict::Pass, "{}", text(&report));
}

/// The link leads to the right span, so its ids alone would say nothing.
#[test]
fn a_link_whose_attribute_is_off_is_told_with_the_attribute() {
    let (mine, theirs) = two_traces();
    let with = "links: [{ to: $producer, attributes: { messaging.batch: 3 } }]";
    let want = expectation(&LINKED.replace("links: [{ to: $producer }]", with));
    let report = check(&want, &mine, std::slice::from_ref(&theirs));
    assert_eq!(report.verdict, Verdict::Fail);
    let text = text(&report);
    assert!(
        text.contains("with messaging.batch: int 3  got trace"),
        "{text}"
    );
    assert!(text.contains("with messaging.batch: absent"), "{text}");
}

/// Three are alike by service and name, and two are expected.
#[test]
fn of_several_siblings_the_unexpected_one_is_named() {
    let mut shop = fan("SELECT products", 3);
    shop.spans[2].attributes = [("db.rows", 5_i64)].into_iter().collect();
    let node = "{ span: { name: SELECT products, kind: client }, attributes: { db.rows: NUMBER } }";
    let of_two = node.replace("db.rows: NUMBER", "db.rows: absent");
    let want = of_fan("closed: true", &[&of_two.replacen(" }", " }, times: 2", 1)]);
    let report = check(&want, &shop.trace(), &[]);
    let unexpected = format!("UNEXPECTED (closed: true; span {})", shop.spans[2].span_id);
    assert!(text(&report).contains(&unexpected), "{}", text(&report));
    let of_two = node.replace(", attributes: { db.rows: NUMBER }", ", times: 2");
    let report = check(&of_fan("closed: false", &[&of_two]), &shop.trace(), &[]);
    assert!(
        text(&report).contains("UNEXPECTED (times: 2; span "),
        "{}",
        text(&report)
    );
}
