//! Waits that spans show, waits that only handovers show, and a thread that all need.

use testing::traces::{SpanExt, TraceBuilder};
use trace::{
    Kind::{Client, Internal, Server},
    Trace,
};

use crate::findings::{found, names};

#[test]
fn a_wait_that_is_a_span_counts_by_its_share() {
    let with = |name: &str, to: f64| {
        let mut make = TraceBuilder::new(1);
        make.span((1, 0), "shop", Server, "POST /reserve", (0.0, 100.0));
        make.span((2, 1), "shop", Internal, name, (5.0, to));
        found(make)
    };
    assert_eq!(with("wait for lock", 60.0), ["lock-wait"]);
    assert_eq!(with("Mutex.acquire", 60.0), ["lock-wait"]);
    assert_eq!(with("pool.acquire", 60.0), ["pool-wait"]);
    assert_eq!(with("pg-pool.connect", 60.0), ["pool-wait"]);
    assert_eq!(with("HikariDataSource.getConnection", 60.0), ["pool-wait"]);
    assert!(with("wait for lock", 20.0).is_empty());
    assert!(with("clock in", 90.0).is_empty());
    assert!(with("unblock user", 90.0).is_empty());
}

/// Requests that come at the same time, and do their work a few at a time.
fn queued(requests: u64, at_once: u64, is_query: bool) -> Vec<Trace> {
    (0..requests)
        .map(|number| {
            let turn = (number / at_once) as f64 * 50.0;
            let mut make = TraceBuilder::new(number + 1);
            make.span((1, 0), "shop", Server, "POST /reserve", (0.0, 60.0 + turn));
            make.span(
                (2, 1),
                "shop",
                Internal,
                "parse",
                (0.1, 1.0 + number as f64 * 0.01),
            );
            let kind = if is_query { Client } else { Internal };
            let (from, to) = (2.0 + turn, 51.9 + turn);
            let span = make.span((3, 1), "shop", kind, "take stock", (from, to));
            if is_query {
                span.query("SELECT pg_sleep($1)")
                    .with("db.namespace", "shop");
            }
            make.build()
        })
        .collect()
}

#[test]
fn a_lock_that_no_span_shows_is_known_by_its_handovers() {
    let found = names(&queued(4, 1, false));
    assert!(found[0].is_empty(), "the first does not wait");
    assert!(
        found[1..].iter().all(|names| names == &["lock-wait"]),
        "{found:?}"
    );
}

#[test]
fn a_pool_that_no_span_shows_is_known_by_how_many_there_ever_are() {
    let found = names(&queued(6, 2, true));
    assert!(
        found[2..].iter().all(|names| names == &["pool-wait"]),
        "{found:?}"
    );
}

#[test]
fn gaps_that_nothing_explains_are_left_alone() {
    // Each works for a while before its query, at times of its own.
    let traces: Vec<Trace> = (0..5)
        .map(|number| {
            let begin = number as f64 * 137.0;
            let mut make = TraceBuilder::new(number + 1);
            make.span(
                (1, 0),
                "shop",
                Server,
                "GET /report",
                (begin, begin + 200.0),
            );
            make.span(
                (2, 1),
                "shop",
                Client,
                "SELECT x",
                (begin + 80.0, begin + 95.0),
            )
            .query("SELECT x FROM y");
            make.build()
        })
        .collect();
    assert!(names(&traces).iter().all(Vec::is_empty));
}

/// Requests of which each computes; on one thread one after another, on many at once.
fn computing(one_thread: bool) -> Vec<Trace> {
    (0..4)
        .map(|number| {
            let turn = number as f64 * 150.0;
            let (from, to) = if one_thread {
                (turn + 2.0, turn + 151.0)
            } else {
                (2.0 + 7.0 * number as f64, 150.0 + 31.0 * number as f64)
            };
            let mut make = TraceBuilder::new(number + 1);
            make.span(
                (1, 0),
                "pay",
                Server,
                "POST /pay",
                (0.5 * number as f64, to + 60.0 + turn / 3.0),
            );
            make.span((2, 1), "pay", Internal, "hash", (from, to));
            // What was waiting for the thread goes on when it is free.
            let end = if one_thread { to + 151.5 } else { to + 20.0 };
            make.span((3, 1), "pay", Client, "INSERT payments", (to + 0.1, end))
                .query("INSERT INTO payments VALUES ($1)");
            make.build()
        })
        .collect()
}

#[test]
fn a_thread_that_all_need_is_known_by_what_moves_when_it_is_free() {
    let found = names(&computing(true));
    assert!(
        found.iter().all(|names| names.contains(&"blocked-runtime")),
        "{found:?}"
    );
    let found = names(&computing(false));
    assert!(
        found
            .iter()
            .all(|names| !names.contains(&"blocked-runtime")),
        "{found:?}"
    );
}
