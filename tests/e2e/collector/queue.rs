//! The sending queue of an exporter whose receiver is away: what the sender is told when it is full.

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::rig::{Made, Rig, id, request, there_is_a_collector};
use crate::{node::free_ports, support::eventually};

/// The number of traces, of two spans each.
const TRACES: u64 = 40;

/// A set-up whose queue holds ten spans, with these processors.
fn file(processors: &str) -> String {
    format!(
        "
receivers:
  otlp:
    protocols:
      grpc: {{ endpoint: '${{env:COLLECTOR_OTLP_GRPC:-127.0.0.1:14317}}' }}
      http: {{ endpoint: '${{env:COLLECTOR_OTLP_HTTP:-127.0.0.1:14318}}' }}
processors:
  batch: {{ send_batch_size: 2, send_batch_max_size: 2 }}
exporters:
  otlp_grpc/lab:
    endpoint: '${{env:LAB_OTLP_GRPC:-127.0.0.1:4317}}'
    tls: {{ insecure: true }}
    sending_queue: {{ sizer: items, queue_size: 10, num_consumers: 1 }}
    retry_on_failure: {{ initial_interval: 100ms, max_interval: 100ms }}
service:
  pipelines:
    traces: {{ receivers: [otlp], processors: [{processors}], exporters: [otlp_grpc/lab] }}
"
    )
}

/// Sends traces, one a request, while the receiver is away; then the receiver comes. Returns the answers, and the
/// number of these traces that came.
async fn while_the_receiver_is_away(processors: &str) -> (Vec<u16>, usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set-up.yaml");
    std::fs::write(&path, file(processors)).unwrap();
    let [port] = free_ports();
    let lab = format!("127.0.0.1:{port}");
    let rig = Rig::start(path.to_str().unwrap(), &[("LAB_OTLP_GRPC", &lab)]).await;
    let mut answers = Vec::new();
    for number in 0..TRACES {
        let answer = rig.try_send(&request(&[(id(number), Made::Healthy)])).await;
        answers.push(answer.status().as_u16());
    }
    let grpc = TcpListener::bind(&lab).await.unwrap();
    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let store = sink::Store::new(sink::Config::default());
    let stop = CancellationToken::new();
    tokio::spawn(sink::run(grpc, http, store.clone(), stop.clone()));
    // One consumer empties the queue: what is sent last comes last.
    let last = id(TRACES);
    eventually("the trace that is sent last", async || {
        rig.try_send(&request(&[(last.clone(), Made::Healthy)]))
            .await;
        store.trace(last.parse().unwrap())
    })
    .await;
    rig.stop().await;
    stop.cancel();
    (answers, store.trace_ids().len() - 1)
}

#[tokio::test]
async fn a_full_queue_is_told_to_the_sender_and_what_was_taken_comes() {
    if !there_is_a_collector() {
        return;
    }
    let (answers, came) = while_the_receiver_is_away("").await;
    let taken = answers.iter().filter(|status| **status == 200).count();
    assert!(answers.contains(&503), "{answers:?}");
    assert_eq!(came, taken, "{answers:?}");
}

#[tokio::test]
async fn behind_batch_a_full_queue_is_hidden_and_what_was_taken_is_lost() {
    if !there_is_a_collector() {
        return;
    }
    let (answers, came) = while_the_receiver_is_away("batch").await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    assert!(came < answers.len(), "all {came} came");
}
