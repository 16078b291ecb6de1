//! What is sent, and what a receiver noted of it, add up to one fate for each span.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use firehose::{
    Accounts, Books, Content, Drain, LedgerReader, Load, Pace, Packing, Policy, Progress, Run,
    Sent, Shape, Spread, Stage, Stream, Target, Workload, blast,
};
use prost::Message;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::proxy::{self, Change};

/// A receiver that runs.
struct Running {
    folder: TempDir,
    address: String,
    shutdown: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Running {
    async fn start(stream: &Arc<Stream>, workload: &Workload, content: Content) -> Running {
        let folder = tempfile::tempdir().unwrap();
        Running::at(folder, stream, workload, content).await
    }

    async fn at(
        folder: TempDir,
        stream: &Arc<Stream>,
        workload: &Workload,
        content: Content,
    ) -> Running {
        let ledger = folder.path().join("ledger");
        let drain = Drain::open(Arc::clone(stream), workload.digest(), content, &ledger).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shutdown = CancellationToken::new();
        Running {
            folder,
            address: listener.local_addr().unwrap().to_string(),
            task: tokio::spawn(Arc::new(drain).run(listener, shutdown.clone())),
            shutdown,
        }
    }

    fn reader(&self) -> LedgerReader {
        LedgerReader::open(&self.folder.path().join("ledger")).unwrap()
    }

    async fn stop(self) -> TempDir {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
        self.folder
    }
}

fn workload(spans: u64) -> Workload {
    Workload::of(Run::any(), vec![Shape::typical()], spans)
}

fn load(spans: u64, seconds: f64) -> Load {
    Load {
        first: 0,
        pace: Pace::Stages(vec![Stage {
            rate: spans as f64 / seconds,
            time: Duration::from_secs_f64(seconds),
        }]),
        spread: Spread::Even,
        connections: 2,
        in_flight: 4,
        packing: Packing::None,
        retries: true,
        patience: Duration::from_secs(30),
        deadline: Duration::from_secs(30),
        overrun: Duration::from_secs(60),
        share: (0, 1),
    }
}

async fn send(url: &str, stream: &Arc<Stream>, load: &Load) -> Sent {
    let target: Target = url.parse().unwrap();
    let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
    let sent = blast(
        &target,
        Arc::clone(stream),
        load,
        Arc::clone(&progress),
        stop,
    )
    .await;
    let sent = sent.unwrap();
    assert_eq!(progress.spans_sent(), sent.spans);
    assert_eq!(progress.requests_in_flight(), 0);
    sent
}

fn close(stream: &Stream, sent: &Sent, reader: &LedgerReader, policy: Option<Policy>) -> Accounts {
    let accounts = Accounts::close(&Books {
        stream,
        slice: sent.slice.clone(),
        is_open_ended: sent.is_open_ended,
        outcomes: vec![&sent.outcomes],
        arrivals: Some(vec![&reader.arrivals().unwrap()]),
        policy,
    });
    assert!(accounts.are_closed(), "{accounts:?}");
    accounts
}

#[tokio::test]
async fn by_every_protocol_each_span_is_delivered_once() {
    for (scheme, packing) in [
        ("grpc", Packing::None),
        ("grpc", Packing::Gzip),
        ("grpc", Packing::Zstd),
        ("http", Packing::None),
        ("http", Packing::Zstd),
        ("h2", Packing::Gzip),
    ] {
        let workload = Workload {
            spans_per_request: vec![512, 1024, 1025, 7],
            errors: 0.1,
            slow: 0.1,
            ..workload(30_000)
        };
        let stream = Arc::new(Stream::new(&workload).unwrap());
        let running = Running::start(&stream, &workload, Content::Same).await;
        let load = Load {
            packing,
            ..load(workload.spans, 0.2)
        };
        let sent = send(&format!("{scheme}://{}", running.address), &stream, &load).await;
        assert_eq!(sent.problem, None, "{scheme} {packing}");
        let accounts = close(&stream, &sent, &running.reader(), None);
        assert_eq!(
            (accounts.planned, accounts.delivered_once),
            (30_000, 30_000),
            "{scheme} {packing}: {accounts:?}"
        );
        let received = running.reader().received().unwrap();
        assert_eq!(
            (received.foreign, received.malformed, received.corrupted),
            (0, 0, 0)
        );
        assert!(received.compared > 30_000 / 64, "{received:?}");
        assert_eq!(received.bytes, sent.bytes);
        assert!(packing == Packing::None || sent.bytes < sent.plain_bytes / 2);
        assert_eq!(running.reader().latencies().unwrap().count(), 30_000);
        running.stop().await;
    }
}

#[tokio::test]
async fn traces_in_late_pieces_and_requests_sent_twice_are_accounted_for() {
    let workload = Workload {
        spans_per_request: vec![100],
        pieces: 3,
        lateness: 2,
        duplicates: 0.2,
        ..workload(20_000)
    };
    let stream = Arc::new(Stream::new(&workload).unwrap());
    let running = Running::start(&stream, &workload, Content::Same).await;
    let load = load(workload.spans, 0.2);
    let sent = send(&format!("grpc://{}", running.address), &stream, &load).await;
    let accounts = close(&stream, &sent, &running.reader(), None);
    let mut twice = 0;
    for request in 0..stream.end(&sent.slice) {
        if stream.is_twice(request) {
            stream.slots(request, &sent.slice, |_| twice += 1);
        }
    }
    assert!(twice > 1_000);
    assert_eq!(accounts.duplicated, twice, "{accounts:?}");
    assert_eq!(accounts.delivered_once, 20_000 - twice);
    assert_eq!(running.reader().received().unwrap().spans, 20_000 + twice);
    running.stop().await;
}

#[tokio::test]
async fn as_fast_as_possible_only_what_was_begun_is_planned() {
    let workload = workload(100_000_000);
    let stream = Arc::new(Stream::new(&workload).unwrap());
    let running = Running::start(&stream, &workload, Content::Same).await;
    let load = Load {
        pace: Pace::Max(Duration::from_millis(200)),
        ..load(1, 1.0)
    };
    let sent = send(&format!("grpc://{}", running.address), &stream, &load).await;
    let planned = sent.slice.slots.end;
    assert!(planned > 0 && planned < workload.spans);
    assert_eq!(sent.spans, planned);
    let accounts = close(&stream, &sent, &running.reader(), None);
    assert_eq!(accounts.delivered_once, planned);
    running.stop().await;
}

#[tokio::test]
async fn what_is_stopped_plans_no_more_than_was_begun() {
    let workload = workload(1 << 33);
    let stream = Arc::new(Stream::new(&workload).unwrap());
    let running = Running::start(&stream, &workload, Content::Same).await;
    let load = Load {
        pace: Pace::Max(Duration::from_secs(600)),
        ..load(1, 1.0)
    };
    let target: Target = format!("grpc://{}", running.address).parse().unwrap();
    let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
    let (watched, stopped) = (Arc::clone(&progress), stop.clone());
    tokio::spawn(async move {
        while watched.spans_accepted() == 0 {
            tokio::task::yield_now().await;
        }
        stopped.cancel();
    });
    let sent = blast(&target, Arc::clone(&stream), &load, progress, stop).await;
    let sent = sent.unwrap();
    assert!(sent.is_stopped && sent.spans > 0);
    let accounts = close(&stream, &sent, &running.reader(), None);
    assert_eq!(
        (accounts.planned, accounts.delivered_once),
        (sent.spans, sent.spans)
    );
    running.stop().await;
}

/// Enough spans that the changed request is one of many.
const FEWER: u64 = 100_000;

/// Sends through something that changes one request, and closes the books.
async fn with(change: Change, content: Content, spans: u64) -> (Accounts, firehose::Received) {
    let workload = workload(spans);
    let stream = Arc::new(Stream::new(&workload).unwrap());
    let running = Running::start(&stream, &workload, content).await;
    let (proxy, stop) = proxy::start(running.address.clone(), change).await;
    let load = load(workload.spans, 1.0);
    let sent = send(&format!("http://{proxy}"), &stream, &load).await;
    let accounts = close(&stream, &sent, &running.reader(), None);
    let received = running.reader().received().unwrap();
    stop.cancel();
    running.stop().await;
    assert_eq!(accounts.planned, spans);
    (accounts, received)
}

#[tokio::test]
async fn one_span_of_a_million_that_is_lost_is_found() {
    let (accounts, _) = with(Change::LoseOne, Content::Same, 1_000_000).await;
    assert_eq!((accounts.lost, accounts.delivered_once), (1, 999_999));
}

#[tokio::test]
async fn one_span_that_comes_twice_is_found() {
    let (accounts, _) = with(Change::SendOneTwice, Content::Same, FEWER).await;
    assert_eq!(
        (accounts.duplicated, accounts.delivered_once),
        (1, FEWER - 1)
    );
}

#[tokio::test]
async fn one_changed_byte_in_a_compared_span_is_found() {
    let (accounts, received) = with(Change::FlipOneByte, Content::Same, FEWER).await;
    assert_eq!(
        (accounts.corrupted, accounts.delivered_once),
        (1, FEWER - 1)
    );
    assert_eq!(received.corrupted, 1);
}

#[tokio::test]
async fn a_resource_that_was_lost_is_found() {
    let (accounts, _) = with(Change::LoseOneResource, Content::Same, FEWER).await;
    // One service of the first trace of a request.
    assert!((1..=12).contains(&accounts.corrupted), "{accounts:?}");
}

#[tokio::test]
async fn the_same_content_in_another_form_is_no_change() {
    let (accounts, received) = with(Change::WriteDefaults, Content::Same, FEWER).await;
    assert_eq!((accounts.corrupted, accounts.delivered_once), (0, FEWER));
    assert!(received.compared > FEWER / 64);
}

#[tokio::test]
async fn added_attributes_are_a_change_or_not_as_one_asks_for() {
    let (accounts, _) = with(Change::AddAttributes, Content::Same, FEWER).await;
    assert!(accounts.corrupted > 0);
    let (accounts, _) = with(Change::AddAttributes, Content::Kept, FEWER).await;
    assert_eq!((accounts.corrupted, accounts.delivered_once), (0, FEWER));
}

#[tokio::test]
async fn spans_of_nobody_are_foreign_and_garbage_is_refused() {
    let workload = workload(1_000);
    let stream = Arc::new(Stream::new(&workload).unwrap());
    let running = Running::start(&stream, &workload, Content::Same).await;
    let others = firehose::typical();
    let request = trace::otlp::to_protobuf(&others);
    let post = async |body: Vec<u8>| proxy::post(&running.address, Bytes::from(body)).await;
    assert_eq!(post(request.clone()).await, 200);
    assert_eq!(post(b"no OTLP at all".to_vec()).await, 400);
    // A trace of the run with a span that it does not have.
    let mut wrong =
        opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest::decode(
            &*request,
        )
        .unwrap();
    let ids = stream.ids(&stream.trace(0));
    for span in wrong
        .resource_spans
        .iter_mut()
        .flat_map(|of| &mut of.scope_spans)
        .flat_map(|of| &mut of.spans)
    {
        span.trace_id = ids.id().as_bytes().to_vec();
    }
    assert_eq!(post(wrong.encode_to_vec()).await, 200);
    let received = running.reader().received().unwrap();
    assert_eq!(
        (received.spans, received.foreign, received.malformed),
        (0, 24, 1)
    );
    running.stop().await;
}

#[tokio::test]
async fn a_ledger_is_continued_and_not_mistaken_for_another() {
    let workload = workload(24_000);
    let stream = Arc::new(Stream::new(&workload).unwrap());
    let running = Running::start(&stream, &workload, Content::Same).await;
    let load = load(workload.spans, 0.1);
    let first = send(&format!("grpc://{}", running.address), &stream, &load).await;
    let folder = running.stop().await;
    let running = Running::at(folder, &stream, &workload, Content::Same).await;
    let accounts = close(&stream, &first, &running.reader(), None);
    assert_eq!(accounts.delivered_once, 24_000);
    send(&format!("grpc://{}", running.address), &stream, &load).await;
    let accounts = close(&stream, &first, &running.reader(), None);
    assert_eq!(accounts.duplicated, 24_000);
    let folder = running.stop().await;

    let other = Workload {
        seed: 1,
        ..workload.clone()
    };
    let ledger = folder.path().join("ledger");
    let refused = Drain::open(stream, other.digest(), Content::Same, &ledger).unwrap_err();
    assert!(
        refused
            .to_string()
            .ends_with("is the ledger of another workload")
    );
    let no_ledger = folder.path().join("other");
    std::fs::write(&no_ledger, vec![7; 8192]).unwrap();
    let refused = LedgerReader::open(&no_ledger).unwrap_err();
    assert!(refused.to_string().ends_with("is no ledger"));
}

#[tokio::test]
async fn what_a_policy_leaves_out_is_not_lost_and_what_it_must_keep_is() {
    let workload = Workload {
        errors: 0.1,
        slow: 0.1,
        ..workload(120_000)
    };
    let stream = Arc::new(Stream::new(&workload).unwrap());
    let running = Running::start(&stream, &workload, Content::Same).await;
    // A sampler that keeps errors and nothing else.
    let (proxy, stop) = proxy::start(running.address.clone(), Change::KeepErrors).await;
    let load = load(workload.spans, 0.3);
    let sent = send(&format!("http://{proxy}"), &stream, &load).await;
    let keeps_errors = Policy {
        keeps_errors: true,
        keeps_slow: false,
    };
    let accounts = close(&stream, &sent, &running.reader(), Some(keeps_errors));
    let [rest, errors, slow, both] = accounts.groups;
    assert_eq!((rest.whole, slow.whole), (0, 0));
    assert!(errors.traces > 500 && both.traces > 20);
    assert_eq!((errors.whole, both.whole), (errors.traces, both.traces));
    assert_eq!(accounts.sampled_out, 12 * (rest.traces + slow.traces));
    assert_eq!(accounts.lost, 0);
    let and_slow = Policy {
        keeps_slow: true,
        ..keeps_errors
    };
    let accounts = close(&stream, &sent, &running.reader(), Some(and_slow));
    assert_eq!(accounts.lost, 12 * slow.traces);
    stop.cancel();
    running.stop().await;
}
