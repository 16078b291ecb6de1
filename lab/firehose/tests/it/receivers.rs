//! What is sent arrives: at the receiver that counts, and in the lab's sink.

use std::sync::Arc;

use firehose::{Count, Counter, Encoding, Plan, Run, Target, Totals, TraceSlot, Until};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{SPANS, orders};

const REQUESTS: u64 = 25;
const TRACES: usize = 43;

/// Sends [`REQUESTS`] requests with [`TRACES`] orders each.
async fn send(url: &str, encoding: Encoding, run: Run) -> Totals {
    let target: Target = url.parse().unwrap();
    let batch = orders(TRACES, encoding, target.protocol().framing());
    let plan = Plan {
        run,
        first: 100,
        connections: 2,
        in_flight: 3,
        until: Until::Requests(REQUESTS),
        patience: std::time::Duration::from_secs(60),
    };
    let totals = firehose::send(&target, &batch, &plan).await.unwrap();
    assert!(totals.add_up(), "{totals:?}");
    let all = Count {
        requests: REQUESTS,
        spans: REQUESTS * (TRACES * SPANS) as u64,
        bytes: REQUESTS * batch.bytes() as u64,
    };
    assert_eq!((totals.sent, totals.accepted), (all, all), "{totals:?}");
    assert_eq!(totals.next, 100 + REQUESTS * TRACES as u64);
    assert!(totals.taken() > 0 && !totals.cpu.is_zero());
    totals
}

#[tokio::test]
async fn the_counting_receiver_counts_what_was_sent_by_every_protocol() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (counter, shutdown) = (Arc::new(Counter::default()), CancellationToken::new());
    let counting = firehose::count(listener, Arc::clone(&counter), shutdown.clone());
    let counting = tokio::spawn(counting);
    let mut sent = Count::default();
    for (scheme, encoding) in [
        ("grpc", Encoding::Protobuf),
        ("h2", Encoding::Protobuf),
        ("h2", Encoding::Json),
        ("http", Encoding::Protobuf),
        ("http", Encoding::Json),
    ] {
        let totals = send(&format!("{scheme}://{at}"), encoding, Run::any()).await;
        sent.requests += totals.sent.requests;
        sent.bytes += totals.sent.bytes;
        assert_eq!(counter.requests(), sent.requests, "{scheme} {encoding:?}");
        assert_eq!(counter.bytes(), sent.bytes, "{scheme} {encoding:?}");
    }
    shutdown.cancel();
    counting.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_sink_has_every_span_that_was_accepted() {
    let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (by_grpc, by_http) = (grpc.local_addr().unwrap(), http.local_addr().unwrap());
    let store = sink::Store::new(sink::Config::default());
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(sink::run(grpc, http, store.clone(), shutdown.clone()));
    let mut accepted = 0;
    for (number, url, encoding) in [
        (1, format!("grpc://{by_grpc}"), Encoding::Protobuf),
        (2, format!("http://{by_http}"), Encoding::Protobuf),
        (3, format!("http://{by_http}"), Encoding::Json),
    ] {
        let run = Run::new(number).unwrap();
        accepted += send(&url, encoding, run).await.accepted.spans;
        let spans = store.stats().spans;
        assert_eq!(spans.received, accepted, "{url} {encoding:?}");
        assert_eq!(
            (spans.stored, spans.refused),
            (accepted, 0),
            "{url} {encoding:?}"
        );
        for sequence in [100, 99 + REQUESTS * TRACES as u64] {
            let slot = TraceSlot {
                run,
                template: 3,
                sequence,
            };
            let trace = store.trace(slot.id()).unwrap();
            assert_eq!(trace.spans().len(), SPANS);
            assert_eq!((trace.roots().count(), trace.orphans().count()), (1, 0));
        }
    }
    shutdown.cancel();
    serving.await.unwrap().unwrap();
}
