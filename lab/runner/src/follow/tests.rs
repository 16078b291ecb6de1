//! A load that is followed by hand: its requests are lines, and its traces are put into a small sink.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use collector::CollectorEffect;
use parking_lot::Mutex;
use scenario::Scenario;
use serde_json::json;
use sink::{Config, Store};
use testing::{
    spans::{bare, link, resource},
    traces::{span_id, trace_id},
};
use trace::{Kind, Span, otlp};

use super::*;

const ORDERS: &str = "
name: orders
title: Orders
load: { requests: 2000, users: 1 }
expect:
  tree: [{ span: { service: checkout, name: POST /checkout } }]
";

/// A number of requests that makes a load a long one.
const MANY: u64 = 1_200;

/// The time after which an unchanged trace is judged as it is.
const PATIENCE: Duration = Duration::from_millis(300);

/// A phase of [`ORDERS`] that is followed.
struct Followed<'a> {
    follower: Follower<'a, Box<dyn Fn(Progress) + 'a>>,
    lines: mpsc::UnboundedSender<Line>,
    brake: Brake,
}

fn orders() -> Scenario {
    scenario::parse("orders.yaml", ORDERS).unwrap()
}

/// Takes the progress of a load. It is a type of its own, since what follows a load is generic.
type Told<'a> = Box<dyn Fn(Progress) + 'a>;

fn follow<'a>(
    scenario: &'a Scenario,
    environment: &'a Environment,
    stop: &'a CancellationToken,
    beside: Beside<'a>,
    progress: &'a Told<'a>,
) -> Followed<'a> {
    let (lines, receiver) = mpsc::unbounded_channel();
    let brake = Brake::default();
    let terms = DriveSettings {
        overrides: Overrides::default(),
        seed: 1,
        patience: PATIENCE,
        collector_effect: CollectorEffect::NONE,
        stop,
    };
    let plan = PhasePlan::of(scenario, Phase::Faulty).unwrap();
    let channel = (receiver, brake.clone());
    Followed {
        follower: Follower::new(plan, environment, terms, beside, progress, channel),
        lines,
        brake,
    }
}

fn line(number: u64) -> Line {
    let line = json!({
        "request_id": format!("r-{number}"),
        "journey": number,
        "step": "POST /checkout",
        "planned": number,
        "started": number,
        "ended": number + 1_000,
        "trace_id": trace_id(number),
        "status": 201,
        "message_id": format!("m-{number}"),
    });
    serde_json::from_value(line).unwrap()
}

fn root(number: u64, service: &str, name: &str) -> Span {
    Span {
        start_ns: number,
        end_ns: number + 500,
        resource: resource([("service.name", service)]),
        ..bare(
            trace_id(number),
            span_id(number, 1),
            None,
            name,
            Kind::Server,
        )
    }
}

fn put(store: &Store, spans: impl IntoIterator<Item = Span>) {
    let spans: Vec<Span> = spans.into_iter().collect();
    let document = otlp::to_json(&spans).to_string();
    let spans = otlp::from_json(document.as_bytes()).unwrap().spans;
    store.take(&otlp::to_protobuf(&spans)).unwrap();
}

fn orders_of(numbers: impl Iterator<Item = u64>) -> impl Iterator<Item = Span> {
    numbers.map(|number| root(number, "checkout", "POST /checkout"))
}

/// The bytes that the traces of [`MANY`] orders take.
fn bytes_of_many() -> usize {
    let store = Store::new(Config::default());
    put(&store, orders_of(1..=MANY));
    store.stats().bytes.stored as usize
}

#[tokio::test]
async fn the_load_waits_for_room_and_nothing_is_evicted_unread() {
    // The orders fill two thirds.
    let config = Config {
        max_bytes: bytes_of_many() * 3 / 2,
        ..Config::default()
    };
    let (environment, store) = Environment::with_sink(config).await;
    let (scenario, stop) = (orders(), CancellationToken::new());
    let told = Mutex::new(Vec::new());
    let progress: Box<dyn Fn(Progress)> = Box::new(|progress| {
        if let Progress::Waiting { open, .. } = progress {
            told.lock().push(open);
        }
    });
    let folder = std::env::temp_dir().join(format!("tracelab-follow-{}", std::process::id()));
    let beside = Beside {
        folder: Some((folder.join("faulty"), Kept::Failed)),
        ..Beside::default()
    };
    let mut followed = follow(&scenario, &environment, &stop, beside, &progress);

    put(&store, orders_of(1..=MANY));
    // The trace of this order is not as it should be.
    put(&store, [root(2 * MANY, "checkout", "GET /nothing")]);
    (1..=MANY).for_each(|number| followed.lines.send(line(number)).unwrap());
    followed.lines.send(line(2 * MANY)).unwrap();
    followed.follower.round().await.unwrap();
    assert_eq!(*told.lock(), [MANY as usize + 1], "no trace is settled yet");
    assert!(!followed.brake.set(true), "the brake is on");

    while followed.follower.waiting.len() > 1 {
        tokio::task::yield_now().await;
        followed.follower.round().await.unwrap();
    }
    assert!(!followed.brake.set(false), "the brake is off");
    assert!(
        store.stats().traces.stored <= 2 * BATCH as u64,
        "those that are judged are forgotten"
    );
    assert_eq!(
        environment.lost_spans().await,
        0,
        "what is forgotten is not lost"
    );
    assert_eq!(environment.unexplained().await.len(), 0);

    // A trace that never settles is judged as it is, also while the load runs.
    while !followed.follower.waiting.is_empty() {
        tokio::task::yield_now().await;
        followed.follower.round().await.unwrap();
    }

    let over = followed.follower.finish().await;
    assert!(over.waited > Duration::ZERO);
    let kept = over.digest.findings.len();
    assert!(kept < 200, "{kept}");
    let forgotten = over.digest.tally.judged_with(expect::Verdict::Pass);
    let last = over.requests.len() - kept;
    assert_eq!(forgotten + kept + last, MANY as usize + 1);
    assert!(over.requests.iter().all(|(_, found)| found.trace.is_some()));
    let ledger = std::fs::read_to_string(folder.join("faulty/ledger.jsonl")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(ledger.lines().count(), forgotten + kept);
}

#[tokio::test]
async fn a_short_load_is_left_in_peace_until_it_is_over() {
    let (environment, store) = Environment::with_sink(Config::default()).await;
    let (scenario, stop) = (orders(), CancellationToken::new());
    let progress: Box<dyn Fn(Progress)> = Box::new(drop);
    let mut followed = follow(&scenario, &environment, &stop, Beside::default(), &progress);
    put(&store, orders_of(1..=50));
    (1..=50).for_each(|number| followed.lines.send(line(number)).unwrap());
    for _ in 0..3 {
        followed.follower.round().await.unwrap();
    }
    assert!(followed.follower.waiting.is_empty() && followed.follower.settled.is_empty());
    let over = followed.follower.finish().await;
    assert_eq!(over.requests.len(), 50);
    assert!(over.requests.iter().all(|(_, found)| found.trace.is_some()));
    assert_eq!(over.digest.tally.len() + over.digest.findings.len(), 0);
    assert_eq!(store.stats().traces.stored, 50, "there is room for them");
}

#[tokio::test]
async fn what_the_sink_evicted_is_known_to_be_evicted() {
    let config = Config {
        max_bytes: 30_000,
        ..Config::default()
    };
    let (environment, store) = Environment::with_sink(config).await;
    put(&store, orders_of(1..=1));
    put(&store, [root(2, "checkout", &"n".repeat(25_000))]);
    let lines = [line(1), line(2), line(3)];
    environment.read(&lines).await;
    let found = environment.find(&lines).await;
    let is_evicted: Vec<bool> = found.iter().map(|found| found.is_evicted).collect();
    assert_eq!(is_evicted, [true, false, false]);
    assert!(environment.lost_spans().await > 0);
}

#[tokio::test]
async fn a_batch_is_forgotten_with_its_last_request() {
    let (environment, store) = Environment::with_sink(Config::default()).await;
    let lines = [line(1), line(2)];
    for line in &lines {
        environment.add(line).await;
    }
    put(&store, orders_of(1..=2));
    let mut batch = root(9, "email", "process");
    batch.links = vec![link(trace_id(1), 1), link(trace_id(2), 1)];
    put(&store, [batch]);
    environment.read(&lines).await;
    for (judged, open, left) in [(0, vec![&lines[1]], 2), (1, Vec::new(), 0)] {
        let line = &lines[judged];
        let found = environment.find([line]).await.remove(0);
        assert_eq!(found.related.len(), 1);
        let judged = [(line.clone(), found)];
        environment.forget_judged(&judged, &open).await;
        assert_eq!(store.stats().traces.stored, left);
    }
    // A span that comes later is neither lost nor without a request.
    put(&store, [root(1, "checkout", "late")]);
    put(&store, [root(9, "email", "later")]);
    environment.read(&lines).await;
    assert_eq!(environment.unexplained().await.len(), 0);
    environment.forget_late().await;
    assert_eq!(
        (environment.late_spans(), environment.lost_spans().await),
        (2, 0)
    );
    assert_eq!(store.stats().traces.stored, 0);
}

#[tokio::test]
async fn traces_without_a_request_are_told_and_make_room() {
    let config = Config {
        max_bytes: bytes_of_many() * 3 / 2,
        ..Config::default()
    };
    let (environment, store) = Environment::with_sink(config).await;
    put(&store, orders_of(1..=MANY));
    environment.add(&line(1)).await;
    environment.read(std::iter::empty()).await;
    let hour = Duration::from_secs(3600);
    assert!(
        environment.is_nearly_full(hour).await,
        "their requests may be under way"
    );
    let patience = Duration::ZERO;
    assert!(!environment.is_nearly_full(patience).await);
    assert_eq!(store.stats().traces.stored, 1);
    let spans: usize = environment
        .unexplained()
        .await
        .iter()
        .map(|trace| trace.spans)
        .sum();
    assert_eq!(spans as u64, MANY - 1, "all of them count");
    // What a finished phase does not need any more makes room as well.
    put(&store, orders_of(2 * MANY..3 * MANY));
    environment.finish((2 * MANY..3 * MANY).map(trace_id)).await;
    assert_eq!(store.stats().traces.stored, MANY + 1);
    assert!(!environment.is_nearly_full(patience).await);
    assert_eq!(store.stats().traces.stored, 1);
}
