//! Contexts that were lost, spans that are missing, twice there, misplaced, misnamed, or say too much.

use testing::traces::{SpanExt, TraceBuilder};
use trace::{
    Kind::{Client, Consumer, Internal, Producer, Server},
    Trace,
};

use crate::findings::{found, names};

const NOTHING: [&str; 0] = [];

/// A call of `web` to `stock`, and whether its answer is below it.
fn called(number: u64, answered: bool) -> TraceBuilder {
    let begin = number as f64 * 1_000.0;
    let mut make = TraceBuilder::new(number);
    make.span((1, 0), "web", Server, "GET /", (begin, begin + 100.0))
        .with("order.id", format!("order-{number}99").as_str());
    make.span((2, 1), "web", Client, "GET", (begin + 10.0, begin + 60.0))
        .get("http://stock:80/items/7", 200);
    if answered {
        answer(&mut make, 2, begin);
    }
    make
}

fn answer(make: &mut TraceBuilder, parent: u64, begin: f64) {
    make.span(
        (3, parent),
        "stock",
        Server,
        "GET /items/{id}",
        (begin + 12.0, begin + 58.0),
    )
    .with("http.request.method", "GET")
    .with("url.path", "/items/7");
}

#[test]
fn a_root_within_a_call_without_an_answer_is_its_answer() {
    let mut lost = TraceBuilder::new(2);
    answer(&mut lost, 0, 1_000.0);
    assert_eq!(
        names(&[called(1, false).build(), lost.build()]),
        [["broken-propagation"], ["broken-propagation"]]
    );
    let mut elsewhere = TraceBuilder::new(2);
    answer(&mut elsewhere, 0, 5_000.0);
    assert_eq!(
        names(&[called(1, false).build(), elsewhere.build()]),
        [NOTHING, NOTHING]
    );
}

#[test]
fn an_answer_that_others_have_and_one_lacks_was_not_sampled() {
    let traces = [called(1, true).build(), called(2, false).build()];
    assert_eq!(names(&traces), [vec![], vec!["partial-trace"]]);
}

#[test]
fn a_message_that_is_processed_in_a_trace_of_its_own_needs_a_link() {
    let sent = || {
        let mut make = TraceBuilder::new(1);
        make.span((1, 0), "web", Producer, "send orders", (0.0, 1.0))
            .with("messaging.message.id", "m-1");
        make
    };
    let taken = |linked: bool| {
        let sender = sent();
        let mut make = TraceBuilder::new(2);
        let span = make.span((1, 0), "mail", Consumer, "process orders", (3.0, 20.0));
        span.with("messaging.message.id", "m-1");
        if linked {
            span.links_to(sender.id(), sender.span_id(1));
        }
        make.build()
    };
    assert_eq!(
        names(&[sent().build(), taken(false)]),
        [["broken-propagation"], ["broken-propagation"]]
    );
    assert_eq!(names(&[sent().build(), taken(true)]), [NOTHING, NOTHING]);
}

#[test]
fn a_step_that_begins_a_trace_of_its_own_within_another_was_spawned_without_its_span() {
    let spawned = |begin: f64, order: &str| {
        let mut make = TraceBuilder::new(2);
        make.span(
            (1, 0),
            "web",
            Internal,
            "update stock",
            (begin, begin + 20.0),
        )
        .with("order.id", order);
        make.build()
    };
    let lost = [called(1, true).build(), spawned(1_050.0, "order-199")];
    assert_eq!(names(&lost), [["lost-context"], ["lost-context"]]);
    let of_another_order = [called(1, true).build(), spawned(1_050.0, "order-299")];
    assert_eq!(names(&of_another_order), [NOTHING, NOTHING]);
    let at_night = [called(1, true).build(), spawned(90_000.0, "order-199")];
    assert_eq!(names(&at_night), [NOTHING, NOTHING]);
}

#[test]
fn spans_whose_parent_is_absent_are_orphans() {
    let mut make = TraceBuilder::new(1);
    make.span((1, 0), "web", Server, "GET /", (0.0, 100.0));
    make.span((2, 9), "web", Internal, "step", (10.0, 20.0));
    make.span((3, 9), "web", Internal, "step", (30.0, 40.0));
    assert_eq!(found(make), ["orphan-spans"]);
}

#[test]
fn a_span_that_fills_the_gap_of_another_hangs_below_the_wrong_one() {
    let with = |parent: u64, end: f64| {
        let mut make = TraceBuilder::new(1);
        make.span((1, 0), "web", Server, "GET /", (0.0, 200.0));
        make.span((2, 1), "web", Internal, "charge", (10.0, 150.0));
        make.span((3, 2), "web", Internal, "check", (10.2, 50.0));
        make.span((4, parent), "web", Client, "POST", (50.1, end))
            .get("http://bank/charge", 200);
        make
    };
    assert_eq!(found(with(1, 149.9)), ["wrong-parent"]);
    assert!(found(with(2, 149.9)).is_empty());
    assert!(
        found(with(1, 95.0)).is_empty(),
        "it runs beside, and fits nothing"
    );
}

#[test]
fn a_clock_that_is_off_is_told_with_its_offset() {
    let with = |offset: f64| {
        let mut make = TraceBuilder::new(1);
        make.span((1, 0), "web", Server, "GET /", (1_000.0, 1_100.0));
        make.span((2, 1), "web", Client, "GET", (1_010.0, 1_060.0))
            .get("http://stock/x", 200);
        make.span(
            (3, 2),
            "stock",
            Server,
            "GET /x",
            (1_012.0 + offset, 1_058.0 + offset),
        );
        [make.build()]
    };
    for offset in [-300.0, 300.0] {
        let traces = with(offset);
        let diagnosis = crate::findings::all(&traces).remove(0);
        assert_eq!(diagnosis.findings[0].rule.name, "clock-skew", "{offset}");
        assert_eq!(diagnosis.findings[0].facts["offset_ms"], offset);
    }
    assert_eq!(
        names(&with(1.0)),
        [NOTHING],
        "clocks are never quite the same"
    );
}

#[test]
fn a_span_that_is_there_twice_is_told_once_and_counted_once() {
    let mut make = called(1, true);
    answer(&mut make, 2, 1_000.0);
    assert_eq!(found(make), ["duplicate-spans"]);
}

#[test]
fn names_with_ids_are_unbounded() {
    let named = |name: &str| {
        let mut make = TraceBuilder::new(1);
        make.span((1, 0), "web", Server, name, (0.0, 10.0))
            .with("http.route", "/users/{id}")
            .with("url.path", "/users/4711");
        found(make)
    };
    assert_eq!(named("GET /users/4711"), ["unbounded-names"]);
    assert_eq!(named("GET /users?name=ada"), ["unbounded-names"]);
    assert_eq!(
        named("load 6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        ["unbounded-names"]
    );
    assert!(named("GET /users/{id}").is_empty());
    assert!(named("GET /v2/users").is_empty());
    let many = |different: bool| -> Vec<Trace> {
        (1..=12)
            .map(|number| {
                let mut make = TraceBuilder::new(number);
                let name = if different {
                    format!("job {number}")
                } else {
                    "job 7".to_owned()
                };
                make.span(
                    (1, 0),
                    "cron",
                    Internal,
                    &name,
                    (number as f64 * 100.0, number as f64 * 100.0 + 1.0),
                );
                make.build()
            })
            .collect()
    };
    assert!(
        names(&many(true))
            .iter()
            .all(|names| names == &["unbounded-names"])
    );
    assert!(names(&many(false)).iter().all(Vec::is_empty));
}

#[test]
fn a_trace_that_is_nearly_all_one_span_is_flooded() {
    let with = |names: u64| {
        let mut make = TraceBuilder::new(1);
        make.span((1, 0), "web", Server, "GET /", (0.0, 3_000.0));
        for number in 0..2_000 {
            let from = 1.0 + number as f64;
            make.span(
                (10 + number, 1),
                "web",
                Internal,
                ["a", "b", "c"][(number % names) as usize],
                (from, from + 0.5),
            );
        }
        found(make)
    };
    assert_eq!(with(1), ["span-flood"]);
    assert!(with(3).is_empty(), "steps without a call");
}

#[test]
fn a_secret_is_found_and_not_repeated() {
    let mut make = TraceBuilder::new(1);
    make.span((1, 0), "web", Server, "GET /", (0.0, 10.0))
        .with("note", "card 4111 1111 1111 1111");
    let traces = [make.build()];
    let diagnosis = crate::findings::all(&traces).remove(0);
    assert_eq!(diagnosis.findings[0].rule.name, "leaked-secret");
    assert!(!diagnosis.findings[0].evidence.contains("4111"));
}
