//! The walk, the critical path, comparisons, and what is printed of them.

use diagnose::{compare, report};
use testing::traces::{SpanExt, TraceBuilder};
use trace::{
    Kind::{Client, Consumer, Producer, Server},
    Trace,
};

use crate::findings::all;

fn order(slow: f64) -> Trace {
    let mut make = TraceBuilder::new(1);
    make.span((1, 0), "web", Server, "POST /orders", (0.0, 50.0 + slow));
    make.span((2, 1), "web", Client, "GET", (10.0, 30.0))
        .get("http://prices/p", 200);
    make.span((3, 2), "prices", Server, "GET /p", (11.0, 29.0));
    make.span((4, 1), "web", Client, "POST", (30.0, 40.0 + slow))
        .get("http://bank/c", 200);
    make.span((5, 4), "bank", Server, "POST /c", (31.0, 39.0 + slow));
    make.span(
        (6, 1),
        "web",
        Producer,
        "send orders",
        (45.0 + slow, 46.0 + slow),
    );
    make.span(
        (7, 6),
        "mail",
        Consumer,
        "process orders",
        (47.0 + slow, 80.0 + slow),
    );
    make.build()
}

#[test]
fn the_walk_ends_where_the_time_is_spent() {
    let traces = [order(100.0)];
    let diagnosis = all(&traces).remove(0);
    let walked: Vec<&str> = diagnosis
        .walk
        .steps
        .iter()
        .map(|step| diagnosis.trace.span(step.place).name.as_str())
        .collect();
    assert_eq!(walked, ["POST /orders", "POST", "POST /c"]);
    assert_eq!(
        diagnosis.end_to_end_ns(),
        Some(180_000_000),
        "until the mail is sent"
    );
    let path = diagnosis.path().unwrap();
    let total: u64 = report::sections(path)
        .iter()
        .map(|section| section.ns)
        .sum();
    assert_eq!(total, 150_000_000, "what the user waited for");
}

#[test]
fn what_is_printed_says_all_of_it_in_each_format() {
    let traces = [order(700.0)];
    let diagnoses = all(&traces);
    let text = report::text(&diagnoses[0], report::Style::default());
    for part in [
        "The walk",
        "The critical path",
        "Later, through a message: process orders",
        "bank",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = report::to_json(&diagnoses, &[]);
    let trace = &json["traces"][0];
    assert_eq!(trace["walk"].as_array().unwrap().len(), 3);
    assert_eq!(trace["critical_path"][0]["name"], "POST /orders");
    assert!(trace["findings"].is_array() && trace["error"].is_null());
    let markdown = report::markdown(&diagnoses[0]);
    assert!(markdown.contains("| POST /c | bank |"), "{markdown}");
}

#[test]
fn a_comparison_explains_all_of_the_change() {
    let (before, after) = ([order(0.0)], [order(100.0)]);
    let comparison = compare::compare(&before, &after);
    assert_eq!(comparison.total_ms, (50.0, 150.0));
    let explained: f64 = comparison
        .changes
        .iter()
        .map(|change| change.explains)
        .sum();
    assert!((explained - 1.0).abs() < 1e-9, "{explained}");
    assert_eq!(comparison.changes[0].path.last().unwrap(), "bank POST /c");
    assert!((comparison.changes[0].explains - 1.0).abs() < 1e-9);
    let same = compare::compare(&before, &before);
    assert!(compare::text(&same).contains("No span appeared"));
}
