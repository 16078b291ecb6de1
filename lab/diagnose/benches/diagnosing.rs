//! How fast traces are diagnosed, by the thousand on all processors: `cargo bench -p diagnose`.
//!
//! Traces of 20 spans as the shop makes them, one at a time and a thousand together as a run, and one
//! trace of 100,000 spans in three shapes: flat, deep, and a tree.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run has nothing to say"
)]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use diagnose::{THRESHOLDS, diagnose};
use testing::{
    spans::{bare, resource},
    traces::{span_id, trace_id},
};
use trace::{Kind, Resource, Span, Trace, Value};

/// The allocator that the `tracelab` binary has.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How long each measurement lasts at least, and how often it is made: the median is printed.
const LASTS: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;

fn main() {
    let one = vec![twenty(1)];
    let seconds = measure(|| {
        black_box(diagnose(&one, &[], &THRESHOLDS));
    });
    println!(
        "traces of 20 spans, each by itself: {:.0} a second",
        1.0 / seconds
    );
    let many: Vec<Trace> = (1..=1_000).map(twenty).collect();
    let seconds = measure(|| {
        black_box(diagnose(&many, &[], &THRESHOLDS));
    });
    println!(
        "traces of 20 spans, 1,000 together: {:.0} a second",
        1_000.0 / seconds
    );
    type Parent = fn(u64) -> u64;
    for kind in [Kind::Internal, Kind::Client] {
        let trace = [row(100_000, kind)];
        let seconds = measure(|| {
            black_box(diagnose(&trace, &[], &THRESHOLDS));
        });
        println!("a trace of 100,000 spans, {kind} one after another: {seconds:.3} s");
    }
    let shapes: [(&str, Parent); 3] = [
        ("flat", |_| 1),
        ("deep", |id| id - 1),
        ("a tree of tens", |id| (id - 2) / 10 + 1),
    ];
    for (shape, parent) in shapes {
        let trace = [large(100_000, parent)];
        let seconds = measure(|| {
            black_box(diagnose(&trace, &[], &THRESHOLDS));
        });
        println!("a trace of 100,000 spans, {shape}: {seconds:.3} s");
    }
}

/// The median of some rounds, in seconds a call.
fn measure(mut work: impl FnMut()) -> f64 {
    work();
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            let mut times = 0;
            while start.elapsed() < LASTS / ROUNDS as u32 || times == 0 {
                work();
                times += 1;
            }
            start.elapsed().as_secs_f64() / f64::from(times)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

/// A checkout: a root, two calls with servers and queries below, steps, a message.
fn twenty(number: u64) -> Trace {
    let resources =
        ["checkout", "inventory", "payment", "email"].map(|service| (service, of_service(service)));
    let at = 1_000_000_000 * number;
    let mut spans = Vec::new();
    let mut add = |id: u64,
                   parent: u64,
                   service: &'static str,
                   name: &str,
                   kind: Kind,
                   from: u64,
                   to: u64| {
        let (_, resource) = resources
            .iter()
            .find(|(known, _)| *known == service)
            .unwrap();
        spans.push(span(
            number,
            id,
            parent,
            resource,
            name,
            kind,
            at + from * 1_000,
            at + to * 1_000,
        ));
    };
    add(1, 0, "checkout", "POST /checkout", Kind::Server, 0, 150_000);
    add(
        2,
        1,
        "checkout",
        "process_order",
        Kind::Internal,
        50,
        149_900,
    );
    add(3, 2, "checkout", "fetch_items", Kind::Internal, 100, 300);
    add(
        4,
        3,
        "checkout",
        "SELECT cart_lines",
        Kind::Client,
        110,
        290,
    );
    add(
        5,
        2,
        "checkout",
        "validate cart",
        Kind::Internal,
        400,
        20_400,
    );
    add(6, 5, "checkout", "GET", Kind::Client, 410, 20_300);
    add(7, 6, "inventory", "GET /prices", Kind::Server, 700, 20_000);
    add(
        8,
        7,
        "inventory",
        "SELECT products",
        Kind::Client,
        800,
        1_200,
    );
    add(9, 5, "checkout", "GET", Kind::Client, 420, 20_350);
    add(10, 9, "inventory", "GET /stock", Kind::Server, 720, 20_100);
    add(
        11,
        10,
        "inventory",
        "SELECT stock",
        Kind::Client,
        820,
        1_300,
    );
    add(
        12,
        2,
        "checkout",
        "charge payment",
        Kind::Internal,
        20_500,
        130_000,
    );
    add(13, 12, "checkout", "POST", Kind::Client, 41_000, 129_900);
    add(
        14,
        13,
        "payment",
        "POST /charges",
        Kind::Server,
        41_300,
        129_500,
    );
    add(
        15,
        14,
        "payment",
        "validate card",
        Kind::Internal,
        41_400,
        72_000,
    );
    add(
        16,
        14,
        "payment",
        "process charge",
        Kind::Internal,
        72_100,
        129_400,
    );
    add(17, 16, "payment", "POST", Kind::Client, 72_400, 129_000);
    add(
        18,
        2,
        "checkout",
        "send shop:order.placed",
        Kind::Producer,
        146_000,
        146_500,
    );
    add(
        19,
        18,
        "email",
        "process shop:order.placed:email",
        Kind::Consumer,
        147_000,
        190_000,
    );
    add(20, 19, "email", "send mail", Kind::Client, 148_000, 189_000);
    Trace::new(spans[0].trace_id, spans)
}

/// One root with children one after another, `count` spans in all; all of them fail.
fn row(count: u64, kind: Kind) -> Trace {
    let resource = of_service("shop");
    let spans: Vec<Span> = (1..=count)
        .map(|id| {
            let (kind, parent) = if id == 1 {
                (Kind::Server, 0)
            } else {
                (kind, 1)
            };
            let (from, to) = if id == 1 {
                (0, count * 1_000)
            } else {
                (id * 1_000, id * 1_000 + 900)
            };
            let mut span = span(1, id, parent, &resource, "POST", kind, from, to);
            span.status.code = trace::StatusCode::Error;
            span
        })
        .collect();
    Trace::new(spans[0].trace_id, spans)
}

fn large(count: u64, parent: impl Fn(u64) -> u64) -> Trace {
    let resource = of_service("shop");
    let spans: Vec<Span> = (1..=count)
        .map(|id| {
            let (kind, above) = if id == 1 {
                (Kind::Server, 0)
            } else {
                (Kind::Internal, parent(id))
            };
            let name = format!("step {}", id % 50);
            span(
                1,
                id,
                above,
                &resource,
                &name,
                kind,
                id * 1_000,
                2_000_000_000 - id * 1_000,
            )
        })
        .collect();
    Trace::new(spans[0].trace_id, spans)
}

/// As a decoder shares it between the spans of one service.
fn of_service(service: &str) -> Arc<Resource> {
    resource([("service.name", service), ("service.instance.id", service)])
}

#[allow(clippy::too_many_arguments, reason = "a row of a table")]
fn span(
    trace: u64,
    id: u64,
    parent: u64,
    resource: &Arc<Resource>,
    name: &str,
    kind: Kind,
    start_ns: u64,
    end_ns: u64,
) -> Span {
    let text = |key: &str, value: &str| (key.to_owned(), Value::from(value));
    let mut attributes = match kind {
        Kind::Client if name.starts_with("SELECT") => vec![
            text("db.system.name", "postgresql"),
            text("db.namespace", "shop"),
            text("db.operation.name", "SELECT"),
            text("db.query.summary", name),
            text(
                "db.query.text",
                "SELECT sku, name, price_cents FROM products WHERE sku IN ($1, $2, $3) ORDER BY sku",
            ),
        ],
        Kind::Client | Kind::Server => vec![
            text("http.request.method", "POST"),
            text(
                "url.full",
                "http://10.0.0.7:8082/charges?sku=BOOT-43%2CLOCK-CBL",
            ),
            text("url.path", "/charges"),
            text("server.address", "10.0.0.7"),
            ("server.port".to_owned(), Value::Int(8082)),
            ("http.response.status_code".to_owned(), Value::Int(201)),
        ],
        Kind::Producer | Kind::Consumer => vec![
            text("messaging.system", "rabbitmq"),
            text("messaging.destination.name", "shop:order.placed"),
            text(
                "messaging.message.id",
                &format!("416306ce-7766-460e-8522-{trace:012x}"),
            ),
        ],
        _ => vec![text(
            "order.id",
            &format!("a99bcd5e-3c8e-46aa-a6d0-{trace:012x}"),
        )],
    };
    attributes.push(text("network.protocol.version", "1.1"));
    let above = (parent > 0).then(|| span_id(trace, parent));
    Span {
        start_ns,
        end_ns,
        attributes: attributes.into_iter().collect(),
        resource: Arc::clone(resource),
        ..bare(trace_id(trace), span_id(trace, id), above, name, kind)
    }
}
