//! How the time of all that reads one trace grows with its spans: `cargo bench -p runner -- [SHAPE] [WORK]`.
//!
//! Each shape is made with 10,000, 100,000 and 1,000,000 spans. `×` is the time of a line's number against that of
//! the number before it: 10 is linear, 100 is quadratic. Sorting and a cache that is too small make it 11 to 20.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run has nothing to say"
)]

use std::{hint::black_box, io::Write, sync::Arc, time::Instant};

use diagnose::{THRESHOLDS, diagnose, report};
use scenario::Expectation;
use testing::spans::{bare, resource, span_id, trace_id};
use trace::{Kind, Resource, Span, StatusCode, Trace, Value};

/// The allocator that the `tracelab` binary has.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The numbers of spans.
const COUNTS: [u64; 3] = [10_000, 100_000, 1_000_000];

/// The time, in seconds, from which the next number is not tried: it would take a hundred times as long.
const TOO_LONG: f64 = 30.0;

fn main() {
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_asked = |name: &str| asked.iter().all(|asked| name.contains(asked.as_str()));
    println!(
        "{:<48} {:>12} {:>12} {:>12}",
        "seconds", "10,000", "100,000", "1,000,000"
    );
    for (shape, make) in SHAPES {
        for (work, run) in WORKS {
            let name = format!("{work}, {shape}");
            if is_asked(&name) {
                print!("{name:<48}");
                grown(*make, *run);
                println!();
            }
        }
    }
}

/// Prints the times of one work on one shape, each as soon as it is known.
fn grown(make: fn(u64) -> Span, run: fn(&Trace)) {
    let mut before: Option<f64> = None;
    for count in COUNTS {
        if before.is_some_and(|before| before >= TOO_LONG) {
            print!("     too long");
            break;
        }
        let trace = Trace::new(trace_id(), (1..=count).map(make).collect());
        let began = Instant::now();
        run(&trace);
        let took = began.elapsed().as_secs_f64();
        let times = before.map_or(String::new(), |before| format!(" ×{:.0}", took / before));
        print!(" {:>12}", format!("{took:.3}{times}"));
        let _ = std::io::stdout().flush();
        before = Some(took);
    }
}

/// What reads a trace, and its name.
type Work = (&'static str, fn(&Trace));

const WORKS: &[Work] = &[
    ("diagnose", |trace| {
        let diagnoses = diagnose(std::slice::from_ref(trace), &[], &THRESHOLDS);
        black_box(report::text(&diagnoses[0], report::Style::default()));
    }),
    ("report", |trace| {
        let diagnoses = diagnose(std::slice::from_ref(trace), &[], &THRESHOLDS);
        black_box(report::to_json(&diagnoses, &[]).to_string());
    }),
    ("Markdown", |trace| {
        let diagnoses = diagnose(std::slice::from_ref(trace), &[], &THRESHOLDS);
        black_box(report::markdown(&diagnoses[0]));
    }),
    ("compare", |trace| {
        let one = std::slice::from_ref(trace);
        let compared = diagnose::compare::compare(one, one);
        black_box(diagnose::compare::text(&compared));
    }),
    ("trace", |trace| {
        black_box(waterfall::render(trace, &waterfall::Style::default()));
    }),
    ("trace as JSON", |trace| {
        black_box(waterfall::to_json(trace).to_string());
    }),
    ("expect", |trace| {
        black_box(expect::check(&expectation(EXPECTED), trace, &[]));
    }),
    ("expect closed", |trace| {
        black_box(expect::check(&expectation(CLOSED), trace, &[]));
    }),
    ("expect nothing of it", |trace| {
        black_box(expect::check(&expectation(OTHER), trace, &[]));
    }),
    ("expect crossing", |trace| {
        black_box(expect::check(&expectation(CROSSING), trace, &[]));
    }),
    ("derive", |trace| {
        black_box(expect::derive(trace));
    }),
];

const EXPECTED: &str = "
  trace: { roots: 1.., orphans: 0.. }
  tree:
    - span: { service: shop, name: POST /orders, kind: server }
      children:
        - { span: { name: step 1 }, times: ..2000000 }
        - { span: { name: SELECT items }, any-depth: true, times: ..2000000, duration: \"<= 1s\" }
        - { span: { kind: client }, times: 1.. }
        - { span: { kind: internal }, times: 1.., within-parent: true }
  forbid:
    - { from: { service: shop }, to: { service: nobody }, any-depth: true }
    - { from: { name: nothing }, to: { service: shop }, any-depth: true }
  critical-path: [{ through: { service: shop }, share: \">= 10%\" }]
";

const CLOSED: &str = "
  tree:
    - span: { service: shop, name: POST /orders }
      closed: true
      children:
        - { span: { name: step 1 }, times: 2..4 }
        - { span: { name: step 2 }, times: 0 }
";

const OTHER: &str = "
  tree:
    - span: { service: other, name: GET / }
      children:
        - { span: { name: first }, children: [{ span: { name: second }, any-depth: true }] }
        - { span: { name: third, kind: client }, times: 3, any-depth: true }
";

const CROSSING: &str = "
  tree:
    - span: { service: shop, name: POST /orders }
      children:
        - { span: { name: step 1, as: first }, any-depth: true }
        - { span: { kind: internal }, times: 1.., any-depth: true, links: [{ to: $first }] }
";

fn expectation(text: &str) -> Expectation {
    scenario::parse_to_check("x.yaml", &format!("expect:{text}"))
        .unwrap_or_else(|error| panic!("{error}"))
        .expect
}

/// A shape of a trace: its name, and span number 1 and upwards.
type Shape = (&'static str, fn(u64) -> Span);

const SHAPES: &[Shape] = &[
    ("flat", |id| step(id, 1, (0, WHOLE))),
    ("a tree of tens", |id| {
        step(id, (id + 8) / 10, (id, WHOLE - id))
    }),
    ("a chain", |id| step(id, id - 1, (id, WHOLE - id))),
    ("a chain of calls", |id| {
        let kind = if id % 2 == 0 {
            Kind::Client
        } else {
            Kind::Server
        };
        Span {
            kind,
            resource: of_service(id / 2 % 10),
            ..call(id, id - 1, (id, WHOLE - id))
        }
    }),
    ("steps in a row", |id| step(id, 1, in_a_row(id))),
    ("calls in a row that fail", |id| {
        let mut span = call(id, 1, in_a_row(id));
        span.status.code = StatusCode::Error;
        span
    }),
    ("queries of one shape", |id| {
        query(id, "SELECT items", "SELECT * FROM items WHERE id = ?")
    }),
    ("queries of all shapes", |id| {
        query(
            id,
            "SELECT items",
            &format!("SELECT {} FROM items", word(id)),
        )
    }),
    ("writes at once", |id| Span {
        start_ns: START + id,
        end_ns: START + WHOLE - 2 * id,
        ..query(id, "UPDATE items", "UPDATE items SET count = ?")
    }),
    ("names of their own", |id| {
        named(id, &format!("step {}", word(id)))
    }),
    ("names with ids", |id| {
        named(id, &format!("step {id:08x}-{id}"))
    }),
    ("services of their own", |id| Span {
        resource: of_service(id),
        ..call(id, 1, in_a_row(id))
    }),
    ("messages", |id| {
        let (parent, kind) = match (id, id % 2) {
            (1, _) => (0, Kind::Server),
            (_, 0) => (1, Kind::Producer),
            _ => (id - 1, Kind::Consumer),
        };
        message(id, parent, kind, id / 2)
    }),
    ("one message again", |id| {
        let kind = if id == 1 {
            Kind::Producer
        } else {
            Kind::Consumer
        };
        message(id, id.min(2) - 1, kind, 7)
    }),
    ("roots", |id| step(id, 0, in_a_row(id))),
    ("orphans", |id| step(id, u64::MAX - id, in_a_row(id))),
    ("orphans of one parent", |id| {
        step(id, u64::MAX, in_a_row(id))
    }),
    ("servers beside their calls", |id| {
        let (parent, kind) = match (id, id % 2) {
            (1, _) => (0, Kind::Server),
            (_, 0) => (1, Kind::Client),
            _ => (id - 1, Kind::Server),
        };
        let shift = if id % 2 == 1 && id > 1 { 5_000_000 } else { 0 };
        let (from, to) = in_a_row(id / 2 * 2);
        Span {
            kind,
            resource: of_service(id % 2),
            ..call(id, parent, (from + shift, to + shift))
        }
    }),
    ("calls whose answers lost their parents", |id| {
        let (parent, kind) = match (id, id % 2) {
            (1, _) => (0, Kind::Server),
            (_, 0) => (1, Kind::Client),
            _ => (u64::MAX, Kind::Server),
        };
        Span {
            kind,
            resource: of_service(id % 2),
            ..call(id, parent, in_a_row(id / 2 * 2))
        }
    }),
    // A node, below it the next node and two calls.
    ("three below each", |id| {
        let parent = match id % 3 {
            1 => id.saturating_sub(3),
            2 => id - 1,
            _ => id - 2,
        };
        call(id, parent, (id, WHOLE - id))
    }),
    ("steps below the last one", |id| {
        let (from, to) = in_a_row(id);
        step(
            id,
            id - 1,
            if id == 1 {
                (from, to)
            } else {
                (from, to + 100)
            },
        )
    }),
    ("calls that fit the gaps of another", |id| match id {
        1 => step(1, 0, (0, WHOLE)),
        2 => step(2, 1, (0, WHOLE)),
        _ if id % 2 == 0 => step(id, 2, (id * 10_000_000, id * 10_000_000 + 1_000)),
        _ => call(
            id,
            1,
            (id * 10_000_000 - 9_900_000, id * 10_000_000 + 9_900_000),
        ),
    }),
    ("waits for a lock", |id| {
        named(
            id,
            if id % 2 == 0 {
                "acquire lock"
            } else {
                "hold lock"
            },
        )
    }),
    ("links", |id| {
        let mut span = step(id, 1, in_a_row(id));
        span.links = vec![testing::spans::link(trace_id(), 1)];
        span
    }),
    ("an id twice", |id| Span {
        span_id: span_id(id.div_ceil(2)),
        ..step(id, u64::from(id > 2), in_a_row(id))
    }),
];

const START: u64 = 1_790_000_000_000_000_000;
const WHOLE: u64 = 2_000_000_000_000;

/// The times of spans one after another, a microsecond apart; the first covers all.
fn in_a_row(id: u64) -> (u64, u64) {
    match id {
        1 => (0, WHOLE),
        _ => (id * 1_000, id * 1_000 + 900),
    }
}

fn of_service(number: u64) -> Arc<Resource> {
    match number {
        0 => resource([("service.name", "shop")]),
        _ => resource([("service.name", &format!("shop-{number}"))]),
    }
}

/// A word of letters for each number.
fn word(mut number: u64) -> String {
    let mut word = String::new();
    while number > 0 {
        word.push(char::from(b'a' + (number % 20) as u8));
        number /= 20;
    }
    word
}

fn at(id: u64, parent: u64, kind: Kind, name: &str, (from, to): (u64, u64)) -> Span {
    let above = (parent > 0).then(|| span_id(parent));
    let (kind, name) = match id {
        1 if parent == 0 => (Kind::Server, "POST /orders"),
        _ => (kind, name),
    };
    Span {
        start_ns: START + from,
        end_ns: START + to,
        resource: SHOP.with(Arc::clone),
        ..bare(trace_id(), span_id(id), above, name, kind)
    }
}

thread_local! {
    static SHOP: Arc<Resource> = of_service(0);
}

fn step(id: u64, parent: u64, times: (u64, u64)) -> Span {
    let parent = if id == 1 && parent < 2 { 0 } else { parent };
    at(
        id,
        parent,
        Kind::Internal,
        &format!("step {}", id % 50),
        times,
    )
}

fn named(id: u64, name: &str) -> Span {
    at(id, u64::from(id > 1), Kind::Internal, name, in_a_row(id))
}

fn call(id: u64, parent: u64, times: (u64, u64)) -> Span {
    let parent = if id == 1 { 0 } else { parent };
    let mut span = at(id, parent, Kind::Client, "GET", times);
    span.attributes = [
        ("http.request.method", Value::from("GET")),
        ("url.full", Value::from("http://10.0.0.7:8082/items")),
        ("server.address", Value::from("10.0.0.7")),
        ("http.response.status_code", Value::Int(200)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into_iter()
    .collect();
    span
}

fn query(id: u64, name: &str, text: &str) -> Span {
    let mut span = at(id, u64::from(id > 1), Kind::Client, name, in_a_row(id));
    span.attributes = [
        ("db.system.name", "postgresql"),
        ("db.operation.name", name.split(' ').next().unwrap()),
        ("db.query.text", text),
    ]
    .into_iter()
    .collect();
    span
}

fn message(id: u64, parent: u64, kind: Kind, number: u64) -> Span {
    let mut span = at(id, parent, kind, "order.placed", in_a_row(id));
    span.attributes = [
        ("messaging.system", "rabbitmq"),
        ("messaging.destination.name", "order.placed"),
        ("messaging.message.id", &format!("m-{number}")),
    ]
    .into_iter()
    .collect();
    span
}
