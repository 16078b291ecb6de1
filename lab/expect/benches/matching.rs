//! How fast traces are checked, on one core: `cargo bench -p expect`.
//!
//! Traces of 20 spans against an expectation that speaks of each of them, and a fan of 10,000 children
//! below one span, all alike and then all different.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run has nothing to say"
)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use expect::{Verdict, check};
use scenario::Expectation;
use testing::spans::{bare, resource, span_id, trace_id};
use trace::{Kind, Span, Trace, Value};

/// The allocator that the `tracelab` binary has.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How long each measurement lasts at least, and how often it is made: the median is printed.
const LASTS: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;

fn span(id: u64, parent: u64, name: &str, kind: Kind, start_ns: u64, end_ns: u64) -> Span {
    let attributes = vec![
        ("http.request.method".to_owned(), Value::from("GET")),
        ("http.response.status_code".to_owned(), Value::Int(200)),
        ("order.id".to_owned(), Value::from("o-17")),
    ];
    let above = (parent > 0).then(|| span_id(parent));
    Span {
        start_ns,
        end_ns,
        attributes: attributes.into_iter().collect(),
        resource: resource([("service.name", "shop")]),
        ..bare(trace_id(), span_id(id), above, name, kind)
    }
}

/// A root, three calls below it, and below each a server with four queries and an inner step.
fn twenty() -> Trace {
    let mut spans = vec![span(1, 0, "POST /checkout", Kind::Server, 0, 1_000)];
    let mut id = 1;
    for call in 0..3 {
        let begun = call * 300;
        id += 1;
        let client = id;
        spans.push(span(client, 1, "GET", Kind::Client, begun, begun + 290));
        id += 1;
        let server = id;
        let name = format!("GET /part/{call}");
        spans.push(span(
            server,
            client,
            &name,
            Kind::Server,
            begun + 5,
            begun + 285,
        ));
        for query in 0..4 {
            id += 1;
            let name = format!("SELECT table_{query}");
            let at = begun + 10 + query * 50;
            spans.push(span(id, server, &name, Kind::Client, at, at + 40));
        }
    }
    id += 1;
    spans.push(span(id, 1, "render", Kind::Internal, 950, 990));
    Trace::new(spans[0].trace_id, spans)
}

/// One span with `children` children.
fn fan(children: u64, name: impl Fn(u64) -> String) -> Trace {
    let mut spans = vec![span(1, 0, "root", Kind::Server, 0, children * 10)];
    for child in 0..children {
        let at = child * 10;
        spans.push(span(child + 2, 1, &name(child), Kind::Client, at, at + 9));
    }
    Trace::new(spans[0].trace_id, spans)
}

fn expectation(expect: &str) -> Expectation {
    let text = format!(
        "name: bench\ntitle: Bench\ntarget: http://127.0.0.1:1\n\
         journey: {{ requests: [{{ path: / }}] }}\nload: {{ requests: 1, users: 1 }}\n{expect}"
    );
    scenario::parse("bench.yaml", &text).unwrap().expect
}

fn main() {
    let trace = twenty();
    assert_eq!(trace.spans().len(), 20);
    let derived = expectation(&expect::derive(&trace));
    assert_eq!(check(&derived, &trace, &[]).verdict, Verdict::Pass);
    let mut rates: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let (begun, mut checked) = (Instant::now(), 0u64);
            while begun.elapsed() < LASTS {
                for _ in 0..100 {
                    black_box(check(black_box(&derived), black_box(&trace), &[]));
                }
                checked += 100;
            }
            checked as f64 / begun.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    println!(
        "20-span traces, every span asked for: {:.0} a second ({:.0} to {:.0} in {ROUNDS} rounds)",
        rates[ROUNDS / 2],
        rates[0],
        rates[ROUNDS - 1]
    );

    let alike = fan(10_000, |_| "SELECT".to_owned());
    let many = expectation(
        "expect:\n  tree:\n    - span: { name: root }\n      closed: true\n      children:\n        \
         - span: { name: SELECT }\n          times: 10000\n          sequential: true\n",
    );
    fan_time(
        "a fan of 10,000 alike, one node",
        &many,
        &alike,
        Verdict::Pass,
    );

    let missing = fan(9_999, |_| "SELECT".to_owned());
    fan_time(
        "a fan of 9,999, one missing",
        &many,
        &missing,
        Verdict::Fail,
    );

    let overlapping = expectation(
        "expect:\n  tree:\n    - span: { name: root }\n      closed: true\n      children:\n        \
         - span: { name: ~SEL.* }\n          times: 3000..5000\n        \
         - span: { name: ~.*ECT }\n          times: 4000\n        \
         - span: { kind: client }\n          times: 1000..\n",
    );
    fan_time(
        "the same, three nodes that each fit all",
        &overlapping,
        &alike,
        Verdict::Pass,
    );

    let different = fan(1_000, |child| format!("step {child}"));
    let derived = expectation(&expect::derive(&different));
    fan_time(
        "a fan of 1,000 different, a node each",
        &derived,
        &different,
        Verdict::Pass,
    );
}

fn fan_time(what: &str, expectation: &Expectation, trace: &Trace, verdict: Verdict) {
    let begun = Instant::now();
    let report = check(black_box(expectation), black_box(trace), &[]);
    let took = begun.elapsed();
    assert_eq!(report.verdict, verdict, "{what}");
    println!("{what}: {:.3} s", took.as_secs_f64());
}
