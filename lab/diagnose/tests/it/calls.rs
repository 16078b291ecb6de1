//! Calls: too many, one after another, too slow, again and again, given up, failed.

use testing::traces::{SpanExt, TraceBuilder};
use trace::Kind::{Client, Internal, Server};

use crate::findings::{all, found, names};

/// A request with `count` queries of one shape below it, each `each` milliseconds long, after one that found
/// the items.
fn queries(count: u64, each: f64, text: impl Fn(u64) -> String) -> TraceBuilder {
    let mut make = TraceBuilder::new(1);
    make.span(
        (1, 0),
        "shop",
        Server,
        "GET /orders",
        (0.0, 10.0 + count as f64 * each),
    );
    make.span((2, 1), "shop", Client, "SELECT orders", (1.0, 9.0))
        .query("SELECT id FROM orders");
    for number in 0..count {
        let from = 10.0 + number as f64 * each;
        make.span(
            (10 + number, 1),
            "shop",
            Client,
            "SELECT items",
            (from, from + each * 0.9),
        )
        .query(&text(number));
    }
    make
}

#[test]
fn queries_that_differ_in_a_value_are_an_n_plus_one() {
    let item = |number| format!("SELECT * FROM items WHERE order_id = {number}");
    assert_eq!(found(queries(10, 1.0, item)), ["n-plus-one"]);
    assert_eq!(found(queries(6, 12.0, item)), ["n-plus-one"]);
    assert!(
        found(queries(6, 1.0, item)).is_empty(),
        "six that take no time"
    );
    assert!(found(queries(4, 30.0, item)).is_empty(), "four");
}

#[test]
fn a_batch_of_writes_is_none() {
    let mut make = TraceBuilder::new(1);
    make.span((1, 0), "shop", Server, "POST /import", (0.0, 250.0));
    for number in 0..200 {
        let from = 1.0 + number as f64;
        make.span(
            (10 + number, 1),
            "shop",
            Client,
            "INSERT items",
            (from, from + 0.9),
        )
        .query(&format!("INSERT INTO items VALUES ({number})"));
    }
    assert!(found(make).is_empty());
}

#[test]
fn reads_that_are_wrapped_in_steps_are_an_n_plus_one_too() {
    let mut make = TraceBuilder::new(1);
    make.span((1, 0), "shop", Server, "GET /orders", (0.0, 200.0));
    for number in 0..8 {
        let from = 1.0 + 20.0 * number as f64;
        make.span(
            (10 + number, 1),
            "shop",
            Internal,
            "load price",
            (from, from + 18.0),
        );
        make.span(
            (30 + number, 10 + number),
            "shop",
            Client,
            "SELECT prices",
            (from + 1.0, from + 17.0),
        )
        .query("SELECT price FROM prices WHERE sku = $1");
    }
    assert_eq!(found(make), ["n-plus-one"]);
}

fn calls(count: u64, at: impl Fn(u64) -> (f64, f64), url: impl Fn(u64) -> String) -> TraceBuilder {
    let mut make = TraceBuilder::new(1);
    make.span((1, 0), "web", Server, "GET /", (0.0, 1_000.0));
    for number in 0..count {
        let (from, to) = at(number);
        make.span((10 + number, 1), "web", Client, "GET", (from, to))
            .get(&url(number), 200);
        make.span(
            (50 + number, 10 + number),
            "users",
            Server,
            "GET /users/{id}",
            (from + 1.0, to - 1.0),
        )
        .with("http.route", "/users/{id}");
    }
    make
}

#[test]
fn calls_of_one_route_one_after_another_are_an_n_plus_one_and_at_once_a_fan_out() {
    let user = |number| format!("http://users:8080/users/{number}");
    let in_turn = |number: u64| (number as f64 * 90.0, number as f64 * 90.0 + 85.0);
    let at_once = |number: u64| (1.0 + number as f64, 90.0 + number as f64);
    assert_eq!(found(calls(8, in_turn, user)), ["n-plus-one"]);
    assert!(found(calls(30, at_once, user)).is_empty());
}

#[test]
fn calls_that_could_be_made_at_once_are_named_with_what_that_would_save() {
    let part = |number| format!("http://users:8080/part{}/x", ["a", "b"][number as usize]);
    let in_turn = |number: u64| (number as f64 * 101.0, number as f64 * 101.0 + 100.0);
    let trace = [calls(2, in_turn, part).build()];
    let diagnosis = all(&trace).remove(0);
    assert_eq!(diagnosis.findings[0].rule.name, "sequential-calls");
    assert_eq!(diagnosis.findings[0].facts["saved_ms"], 100.0);
    let at_once = |number: u64| (number as f64, 100.0 + number as f64);
    assert!(found(calls(2, at_once, part)).is_empty());
    let with_work_between = |number: u64| (number as f64 * 160.0, number as f64 * 160.0 + 100.0);
    assert!(
        found(calls(2, with_work_between, part)).is_empty(),
        "the second may need the first"
    );
}

#[test]
fn a_peer_without_spans_is_external_and_one_with_spans_is_not() {
    let with = |to: f64, answered: bool| {
        let mut make = TraceBuilder::new(1);
        make.span((1, 0), "web", Server, "GET /", (0.0, to + 20.0));
        make.span((2, 1), "web", Client, "GET", (10.0, to))
            .get("https://api.example.com/v1/rates", 200);
        if answered {
            make.span((3, 2), "rates", Server, "GET /v1/rates", (12.0, to - 2.0));
        }
        make
    };
    assert_eq!(found(with(800.0, false)), ["slow-external"]);
    assert!(found(with(800.0, true)).is_empty());
    assert!(found(with(90.0, false)).is_empty(), "most of little");
}

#[test]
fn a_query_is_slow_by_itself_or_by_its_share() {
    let with = |from: f64, to: f64, whole: f64| {
        let mut make = TraceBuilder::new(1);
        make.span((1, 0), "web", Server, "GET /", (0.0, whole));
        make.span((2, 1), "web", Client, "SELECT orders", (from, to))
            .query("SELECT * FROM orders");
        make
    };
    assert_eq!(found(with(10.0, 700.0, 5_000.0)), ["slow-query"]);
    assert_eq!(found(with(10.0, 160.0, 200.0)), ["slow-query"]);
    assert!(found(with(10.0, 160.0, 2_000.0)).is_empty());
}

/// Attempts that fail, with these pauses between them.
fn attempts(pauses: &[f64], last_succeeds: bool) -> TraceBuilder {
    let mut make = TraceBuilder::new(1);
    make.span((1, 0), "web", Server, "GET /", (0.0, 5_000.0));
    let mut at = 10.0;
    for number in 0..=pauses.len() {
        let succeeds = last_succeeds && number == pauses.len();
        let span = make.span(
            (10 + number as u64, 1),
            "web",
            Client,
            "GET",
            (at, at + 20.0),
        );
        span.get("http://flaky/data", if succeeds { 200 } else { 503 });
        if !succeeds {
            span.fails("");
        }
        at += 20.0 + pauses.get(number).copied().unwrap_or(0.0);
    }
    make
}

#[test]
fn attempts_without_a_growing_pause_are_a_storm_and_with_one_they_are_not() {
    assert_eq!(found(attempts(&[0.1, 0.2, 0.1], false)), ["retry-storm"]);
    assert_eq!(
        found(attempts(&[100.0, 100.0, 100.0], true)),
        ["retry-storm"]
    );
    assert_eq!(
        found(attempts(&[0.1, 0.2, 0.3, 15.0], false)),
        ["retry-storm"],
        "the machine was busy once"
    );
    assert!(found(attempts(&[50.0, 100.0, 200.0], true)).is_empty());
    assert!(
        found(attempts(&[60.0, 95.0, 230.0], true)).is_empty(),
        "with jitter"
    );
    assert!(
        found(attempts(&[0.1], true)).is_empty(),
        "once more, and well"
    );
}

#[test]
fn what_goes_on_when_its_caller_is_gone_is_abandoned() {
    let with = |server_end: f64| {
        let mut make = TraceBuilder::new(1);
        make.span((1, 0), "web", Server, "GET /", (0.0, 120.0))
            .fails("")
            .with("http.response.status_code", 504);
        make.span((2, 1), "web", Client, "GET", (10.0, 110.0))
            .with("http.request.method", "GET")
            .with("error.type", "timeout")
            .fails("timed out");
        make.span((3, 2), "slow", Server, "GET /slow", (12.0, server_end));
        make
    };
    assert_eq!(found(with(900.0)), ["abandoned-work"]);
    assert_eq!(found(with(109.0)), ["deadline-exceeded"]);
}

#[test]
fn the_story_of_an_error_begins_at_its_deepest_span() {
    let mut make = TraceBuilder::new(1);
    make.span((1, 0), "web", Server, "POST /orders", (0.0, 100.0))
        .fails("")
        .with("http.response.status_code", 500);
    make.span((2, 1), "web", Internal, "place order", (1.0, 99.0))
        .with("order.id", "o-1")
        .fails("no stock");
    make.span((3, 2), "web", Client, "POST", (2.0, 98.0))
        .with("http.response.status_code", 500)
        .fails("500");
    make.span((4, 3), "stock", Server, "POST /reserve", (3.0, 97.0))
        .with("http.response.status_code", 500)
        .fails("");
    make.span((5, 4), "stock", Client, "UPDATE stock", (4.0, 96.0))
        .query("UPDATE stock SET n = n - 1")
        .throws("java.sql.SQLException", "connection reset");
    let traces = [make.build()];
    let diagnosis = all(&traces).remove(0);
    assert_eq!(diagnosis.findings.len(), 1);
    assert!(
        diagnosis.findings[0]
            .evidence
            .contains("java.sql.SQLException: connection reset")
    );
    let story = diagnosis.story.unwrap();
    let told: Vec<(&str, &str)> = story
        .chapters
        .iter()
        .map(|chapter| (chapter.name.as_str(), chapter.made_of_it.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("UPDATE stock", "java.sql.SQLException: connection reset"),
            ("POST /reserve", "status 500"),
            ("POST", "500"),
            ("place order", "no stock"),
            ("POST /orders", "status 500"),
        ]
    );
    assert_eq!(
        story.chapters[3].context,
        [("order.id".to_owned(), "o-1".to_owned())]
    );
}

#[test]
fn an_error_that_was_dealt_with_is_none() {
    let mut make = TraceBuilder::new(1);
    make.span((1, 0), "web", Server, "GET /", (0.0, 100.0))
        .with("http.response.status_code", 200);
    make.span((2, 1), "web", Client, "GET", (1.0, 20.0))
        .get("http://cache/x", 404)
        .fails("404");
    make.span((3, 1), "web", Client, "SELECT x", (21.0, 60.0))
        .query("SELECT x FROM y");
    assert!(found(make).is_empty());
}

#[test]
fn a_refusal_that_the_conventions_leave_unset_is_an_error_all_the_same() {
    let mut make = TraceBuilder::new(1);
    make.span((1, 0), "web", Server, "POST /pay", (0.0, 50.0))
        .with("http.response.status_code", 402);
    make.span((2, 1), "web", Internal, "charge", (1.0, 49.0))
        .throws("Declined", "no funds");
    assert_eq!(found(make), ["error"]);
}

#[test]
fn two_transactions_that_waited_for_each_other_are_a_deadlock_in_both_traces() {
    let with = |number: u64, fails: bool| {
        let mut make = TraceBuilder::new(number);
        make.span((1, 0), "bank", Server, "POST /transfer", (0.0, 1_100.0));
        let span = make.span(
            (2, 1),
            "bank",
            Client,
            "UPDATE accounts",
            (50.0, 1_050.0 + number as f64),
        );
        span.query("UPDATE accounts SET n = n + 1 WHERE id = $1");
        if fails {
            span.with("db.response.status_code", "40P01")
                .fails("deadlock detected");
        }
        make.build()
    };
    assert_eq!(
        names(&[with(1, true), with(2, false)]),
        [["deadlock"], ["deadlock"]]
    );
    assert_eq!(
        names(&[with(1, false), with(2, false)]),
        [["slow-query"], ["slow-query"]]
    );
}
