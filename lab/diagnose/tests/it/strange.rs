//! Runs of traces as strange as may be, and what must hold of them all.
//!
//! The fuzz target `rules` draws from the same: see `tests/fuzz`.

use diagnose::{THRESHOLDS, compare, diagnose, report, strip_lab_attributes};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use testing::traces::{SpanExt, TraceBuilder};
use trace::{Kind, Span, Trace};

const KINDS: [Kind; 6] = [
    Kind::Unspecified,
    Kind::Internal,
    Kind::Server,
    Kind::Client,
    Kind::Producer,
    Kind::Consumer,
];

const NAMES: [&str; 12] = [
    "SELECT items",
    "GET",
    "POST",
    "wait for lock",
    "pool.acquire",
    "process orders",
    "send orders.dead",
    "job 17",
    "GET /x?y=z",
    "",
    "ünï",
    "load 6f9619ff-8b86-d011-b42d-00c04fc964ff",
];

const KEYS: [&str; 16] = [
    "db.system.name",
    "db.query.text",
    "http.request.method",
    "url.full",
    "http.response.status_code",
    "messaging.message.id",
    "messaging.system",
    "error.type",
    "order.id",
    "server.address",
    "messaging.destination.name",
    "rpc.system",
    "http.request.resend_count",
    "password",
    "http.route",
    "url.path",
];

const VALUES: [&str; 12] = [
    "SELECT * FROM a WHERE b = 'c",
    "GET",
    "http://[::1",
    "timeout",
    "40P01",
    "4111 1111 1111 1111",
    "Bearer 0123456789abcdef0123",
    "http://u:p@h:1/?",
    "",
    "x:\u{0}é",
    "order-1234567",
    "INSERT",
];

#[derive(Clone, Debug)]
struct Row {
    trace: u64,
    id: u64,
    parent: u64,
    kind: usize,
    name: usize,
    service: u8,
    from: u16,
    length: i16,
    fails: bool,
    says: Vec<(usize, usize, i64)>,
    links: bool,
    /// How many spans of it there are, each begun where the one before it ended.
    times: u8,
}

fn row() -> impl Strategy<Value = Row> {
    let says = prop::collection::vec((0..KEYS.len(), 0..VALUES.len(), -3i64..700), 0..5);
    (
        1u64..4,
        1u64..12,
        0u64..14,
        0..KINDS.len(),
        0..NAMES.len(),
        0u8..3,
        0u16..2_000,
        -50i16..1_500,
        any::<bool>(),
        says,
        // Most once. (Not `prop_oneof`: it splits the generator, and with it a fuzzer's bytes.)
        (any::<bool>(), 0u8..160),
    )
        .prop_map(
            |(
                trace,
                id,
                parent,
                kind,
                name,
                service,
                from,
                length,
                fails,
                says,
                (links, times),
            )| Row {
                trace,
                id,
                parent,
                kind,
                name,
                service,
                from,
                length,
                fails,
                says,
                links,
                times: times.saturating_sub(130).max(1),
            },
        )
}

/// Up to three traces, their spans on few ids, names, services and times, so that they meet.
pub(crate) fn traces() -> impl Strategy<Value = Vec<Trace>> {
    prop::collection::vec(row(), 0..60).prop_map(|rows| made(&rows))
}

/// More than the strategy ever draws. The generator answers zero once its bytes are used up, and
/// drawing below a bound tries again for ever on zeros: so the bytes are never used up.
const MOST_DRAWN: usize = 64 * 1024;

/// The traces that these bytes stand for, as a fuzzer chooses them.
pub(crate) fn drawn_from(bytes: &[u8]) -> Vec<Trace> {
    let mut drawn = bytes.to_vec();
    let mut word = 0x9e37_79b9_7f4a_7c15_u64;
    while drawn.len() < MOST_DRAWN {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        drawn.extend(word.to_le_bytes());
    }
    let rng = TestRng::from_seed(RngAlgorithm::PassThrough, &drawn);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    traces().new_tree(&mut runner).unwrap().current()
}

fn made(rows: &[Row]) -> Vec<Trace> {
    let mut makes: Vec<TraceBuilder> = (1..4).map(TraceBuilder::new).collect();
    for row in rows {
        let other = makes[(row.trace % 3) as usize].id();
        let make = &mut makes[row.trace as usize - 1];
        let target = make.span_id(row.parent.max(1));
        for time in 0..u64::from(row.times) {
            let span = put(make, row, time);
            if row.links {
                span.links_to(other, target);
            }
        }
    }
    makes.into_iter().map(TraceBuilder::build).collect()
}

fn put<'a>(make: &'a mut TraceBuilder, row: &Row, time: u64) -> &'a mut Span {
    let from = f64::from(row.from) + time as f64 * f64::from(row.length);
    let to = from + f64::from(row.length);
    let span = make.span(
        (row.id + 16 * time, row.parent),
        ["web", "stock", "mail"][usize::from(row.service)],
        KINDS[row.kind],
        NAMES[row.name],
        (from, to.max(0.0)),
    );
    for &(key, value, number) in &row.says {
        if number >= 0 && number % 2 == 0 {
            span.with(KEYS[key], number + time as i64);
        } else {
            span.with(KEYS[key], VALUES[value]);
        }
    }
    if row.fails {
        span.throws(VALUES[row.name], VALUES[row.kind]);
    }
    span
}

/// Diagnoses, reports and compares them. Panics at what must not be.
pub(crate) fn endure(traces: &[Trace]) {
    let stripped: Vec<Trace> = traces.iter().map(strip_lab_attributes).collect();
    let diagnoses = diagnose(&stripped, traces, &THRESHOLDS);
    assert_eq!(diagnoses.len(), traces.len());
    for diagnosis in &diagnoses {
        let _ = report::text(diagnosis, report::Style { colour: true });
        let _ = report::markdown(diagnosis);
        for path in &diagnosis.paths {
            let total: u64 = report::sections(path)
                .iter()
                .map(|section| section.ns)
                .sum();
            let root = diagnosis.trace.span(path.root);
            assert_eq!(u128::from(total), root.duration().as_nanos());
        }
        for finding in &diagnosis.findings {
            let known = |id| {
                diagnosis
                    .trace
                    .spans()
                    .iter()
                    .any(|span| span.span_id == id)
            };
            assert!(
                finding.spans.iter().all(|&id| known(id)),
                "{}",
                finding.rule.name
            );
            assert!(!finding.spans.is_empty());
        }
    }
    let _ = report::to_json(&diagnoses, &[]).to_string();
    let (before, after) = traces.split_at(traces.len().min(1));
    let _ = compare::text(&compare::compare(before, after));
}
