//! What people and machines read of a failure.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[allow(dead_code, reason = "each test binary uses some of it")]
mod shop;

use expect::{Report, check};
use expect_test::expect;
use shop::Shop;
use trace::{Kind, SpanId};

/// A checkout that goes wrong in several ways, and what is expected of it.
fn report() -> Report {
    let want = scenario::parse(
        "x.yaml",
        r#"name: x
title: X # somebody's own service, so that spans may have any names
target: http://x
journey: { requests: [{ path: / }] }
load: { requests: 1, users: 1 }
expect:
  trace: { orphans: 0 }
  tree:
    - span: { service: checkout, name: POST /checkout, kind: server }
      closed: true
      children:
        - span: { service: checkout, name: SELECT cart, kind: client }
          times: 200
        - span: { service: payment, name: POST /charges, kind: server }
          status: error
          attributes: { payment.amount: { double: 19.99 } }
        - span: { service: email, name: process mail, kind: consumer }
"#,
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let mut shop = Shop { spans: Vec::new() };
    let root = shop.add(None, "checkout", "POST /checkout", Kind::Server);
    for _ in 0..200 {
        shop.add(Some(root), "checkout", "SELECT cart", Kind::Client);
    }
    for amount in ["19.99", "20"] {
        shop.add(Some(root), "payment", "POST /charges", Kind::Server);
        let span = shop.spans.last_mut().unwrap();
        span.attributes = [("payment.amount", amount)].into_iter().collect();
    }
    let absent = SpanId::from_bytes(0x77aau64.to_be_bytes()).unwrap();
    shop.add(Some(absent), "email", "process mail", Kind::Consumer);
    check(&want.expect, &shop.trace(), &[])
}

#[test]
fn a_failure_is_a_tree_that_shows_the_difference() {
    expect![[r#"
        FAIL x  trace 07070707070707070707070707070707  from the sink
          ~ orphans  want 0  got 1
          checkout POST /checkout  20ms
          ├─ = checkout SELECT cart  ×200  ok
          ├─ ~ payment POST /charges       status          want error         got unset
          │                                payment.amount  want double 19.99  got string "19.99"
          ├─ - email process mail          MISSING; nearest: orphan 00000000000000cc (parent 00000000000077aa absent): propagation is broken
          └─ + payment POST /charges       UNEXPECTED (closed: true; span 00000000000000cb)
    "#]]
    .assert_eq(&report().text("x", "from the sink", false));
}

#[test]
fn colour_changes_nothing_but_the_colour() {
    let coloured = report().text("x", "", true);
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_ne!(coloured, plain);
    assert_eq!(plain, report().text("x", "", false));
}

#[test]
fn the_report_is_json_for_machines() {
    let json = serde_json::to_value(report()).unwrap();
    assert_eq!(json["verdict"], "fail");
    assert_eq!(json["trace_id"], "07070707070707070707070707070707");
    assert_eq!(json["counts"][0]["what"], "orphans");
    assert_eq!(json["counts"][0]["got"], 1);
    let root = &json["tree"][0];
    assert_eq!(
        (&root["mark"], &root["ms"], &root["line"]),
        (&"same".into(), &20.0.into(), &9.into())
    );
    let marks: Vec<_> = root["children"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| &line["mark"])
        .collect();
    assert_eq!(marks, ["same", "differs", "missing", "unexpected"]);
    assert_eq!(root["children"][0]["times"], 200);
    let difference = &root["children"][1]["differences"][0];
    assert_eq!(difference["field"], "status");
    assert_eq!(
        (&difference["want"], &difference["got"]),
        (&"error".into(), &"unset".into())
    );
}

#[test]
fn a_name_cannot_drive_the_terminal() {
    let mut shop = Shop::healthy();
    shop.span("fetch_items", Kind::Internal).name = "fetch_items\u{1b}[2J".into();
    let want = shop::expectation();
    let text = check(&want, &shop.trace(), &[]).text("checkout", "", false);
    assert!(text.contains(r"got fetch_items\u{1b}[2J"), "{text}");
    assert!(!text.contains('\u{1b}'));
}
