//! OTLP/gRPC: the three services, both compressions, and what is said of what cannot be taken.

use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{ExportLogsServiceRequest, logs_service_client::LogsServiceClient},
        metrics::v1::{ExportMetricsServiceRequest, metrics_service_client::MetricsServiceClient},
        trace::v1::trace_service_client::TraceServiceClient,
    },
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric},
};
use prost::Message as _;
use reqwest::Client;
use sink::Config;
use tonic::{Code, codec::CompressionEncoding};

use crate::{Sink, gzip, request, request_of, span, trace_id, zstd};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// The code and the message that a message of raw bytes is answered with.
pub(crate) async fn send_raw(
    sink: &Sink,
    client: &Client,
    encoding: &str,
    message: &[u8],
) -> (Code, String) {
    let mut body = vec![u8::from(encoding != "identity")];
    body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    body.extend(message);
    send_frame(sink, client, encoding, body).await
}

/// A client that speaks HTTP/2 from the first byte, as gRPC does.
pub(crate) fn http2() -> Client {
    Client::builder().http2_prior_knowledge().build().unwrap()
}

async fn send_frame(sink: &Sink, client: &Client, encoding: &str, body: Vec<u8>) -> (Code, String) {
    let response = client
        .post(format!("{}{EXPORT}", sink.grpc))
        .header("content-type", "application/grpc")
        .header("grpc-encoding", encoding)
        .header("te", "trailers")
        .body(body)
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        response.status(),
        200,
        "gRPC says what went wrong in grpc-status"
    );
    let (head, body) = axum::http::Response::from(response).into_parts();
    let trailers = body
        .collect()
        .await
        .expect("a whole answer")
        .trailers()
        .cloned();
    let headers = trailers
        .filter(|trailers| trailers.contains_key("grpc-status"))
        .unwrap_or(head.headers);
    let text = |name| {
        headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
            .to_owned()
    };
    (
        Code::from_bytes(text("grpc-status").as_bytes()),
        text("grpc-message"),
    )
}

#[tokio::test]
async fn spans_come_plain_and_in_both_compressions() {
    let sink = Sink::start(Config::default()).await;
    let plain = TraceServiceClient::connect(sink.grpc.clone())
        .await
        .unwrap();
    let clients = [
        plain.clone(),
        plain.clone().send_compressed(CompressionEncoding::Gzip),
        plain.send_compressed(CompressionEncoding::Zstd),
    ];
    for (trace, mut client) in (1..).zip(clients) {
        let answer = client.export(request([trace])).await.unwrap().into_inner();
        assert_eq!(answer.partial_success, None);
        let trace = sink
            .store
            .trace(trace_id(trace))
            .expect("the trace is here");
        assert_eq!((trace.spans().len(), trace.services()), (1, vec!["shop"]));
    }
    assert_eq!(sink.spans().stored, 3);
}

#[tokio::test]
async fn a_request_of_more_than_four_mebibytes_is_taken() {
    let sink = Sink::start(Config::default()).await;
    let mut large = span(1, 1);
    large.name = "n".repeat(5 << 20);
    let mut client = TraceServiceClient::connect(sink.grpc.clone())
        .await
        .unwrap();
    client.export(request_of(vec![large])).await.unwrap();
    assert_eq!(sink.spans().stored, 1);
}

#[tokio::test]
async fn log_records_and_data_points_are_counted() {
    let sink = Sink::start(Config::default()).await;
    let scope_logs = ScopeLogs {
        log_records: vec![LogRecord::default(); 3],
        ..ScopeLogs::default()
    };
    let logs = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![scope_logs],
            ..ResourceLogs::default()
        }],
    };
    LogsServiceClient::connect(sink.grpc.clone())
        .await
        .unwrap()
        .export(logs)
        .await
        .unwrap();
    let gauge = Gauge {
        data_points: vec![NumberDataPoint::default(); 5],
    };
    let metric = Metric {
        data: Some(metric::Data::Gauge(gauge)),
        ..Metric::default()
    };
    let scope_metrics = ScopeMetrics {
        metrics: vec![metric],
        ..ScopeMetrics::default()
    };
    let metrics = ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics: vec![scope_metrics],
            ..ResourceMetrics::default()
        }],
    };
    MetricsServiceClient::connect(sink.grpc.clone())
        .await
        .unwrap()
        .export(metrics)
        .await
        .unwrap();
    let stats = sink.store.stats();
    assert_eq!(
        (
            stats.logs.received,
            stats.metrics.received,
            stats.requests.accepted
        ),
        (3, 5, 2)
    );
}

#[tokio::test]
async fn spans_that_cannot_be_used_are_refused_by_partial_success() {
    let sink = Sink::start(Config::default()).await;
    let mut client = TraceServiceClient::connect(sink.grpc.clone())
        .await
        .unwrap();
    let spans = vec![span(1, 1), span(0, 1), span(1, 0)];
    let partial = client
        .export(request_of(spans))
        .await
        .unwrap()
        .into_inner()
        .partial_success
        .unwrap();
    assert_eq!(partial.rejected_spans, 2);
    let message = partial.error_message;
    assert!(
        message.contains("spans[1].traceId: all zero") && message.contains("spans[2].spanId"),
        "{message}"
    );
    assert_eq!((sink.spans().stored, sink.spans().refused), (1, 2));
    assert_eq!(sink.store.stats().requests.partial, 1);
}

#[tokio::test]
async fn many_reasons_are_counted_not_told() {
    let sink = Sink::start(Config::default()).await;
    let mut client = TraceServiceClient::connect(sink.grpc.clone())
        .await
        .unwrap();
    let spans = vec![span(0, 1); 1_000];
    let partial = client
        .export(request_of(spans))
        .await
        .unwrap()
        .into_inner()
        .partial_success
        .unwrap();
    assert_eq!(partial.rejected_spans, 1_000);
    assert!(
        partial.error_message.ends_with("and 995 more"),
        "{}",
        partial.error_message
    );
}

#[tokio::test]
async fn a_text_that_is_cut_in_a_character_costs_one_character() {
    let sink = Sink::start(Config::default()).await;
    let request = crate::http::cut_in_a_character();
    let client = http2();
    for (encoding, message) in [
        ("identity", request.clone()),
        ("gzip", gzip(&request)),
        ("zstd", zstd(&request)),
    ] {
        let (code, text) = send_raw(&sink, &client, encoding, &message).await;
        assert_eq!(code, Code::Ok, "{encoding}: {text}");
    }
    assert_eq!((sink.spans().stored, sink.store.stats().replaced), (9, 3));
    let cut = sink.store.trace(trace_id(2)).expect("it is stored");
    assert_eq!(cut.spans()[0].name, "caf\u{fffd}");
}

#[tokio::test]
async fn what_is_no_request_is_an_invalid_argument() {
    let sink = Sink::start(Config::default()).await;
    let client = http2();
    let good = request([1]).encode_to_vec();
    let cut = &good[..good.len() - 1];
    for (encoding, message) in [
        ("identity", cut),
        ("gzip", b"no gzip"),
        ("zstd", b"no zstd"),
        ("identity", b"\xff"),
    ] {
        let (code, text) = send_raw(&sink, &client, encoding, message).await;
        assert_eq!(
            code,
            Code::InvalidArgument,
            "{encoding} {message:?}: {text}"
        );
    }
    let half = send_frame(&sink, &client, "identity", vec![0, 0, 0, 0, 9, 1]).await;
    assert_eq!(half.0, Code::InvalidArgument, "{}", half.1);
    assert_eq!(
        send_raw(&sink, &client, "snappy", &good).await.0,
        Code::Unimplemented
    );
    assert_eq!(sink.spans().received, 0);
    assert_eq!(sink.store.stats().requests.malformed, 6);
}

#[tokio::test]
async fn what_is_too_large_is_refused_for_good_and_a_bomb_does_not_go_off() {
    let sink = Sink::start(Config {
        max_request_bytes: 10_000,
        ..Config::default()
    })
    .await;
    let client = http2();
    let bomb = vec![0; 64 << 20];
    for (encoding, message) in [
        ("identity", vec![0; 10_001]),
        ("gzip", gzip(&bomb)),
        ("zstd", zstd(&bomb)),
    ] {
        let (code, text) = send_raw(&sink, &client, encoding, &message).await;
        assert_eq!(code, Code::ResourceExhausted, "{encoding}: {text}");
    }
    assert_eq!(sink.store.stats().requests.malformed, 3);
}

#[tokio::test]
async fn it_ends_when_it_is_told_to_though_a_client_is_connected() {
    let sink = Sink::start(Config::default()).await;
    let mut client = TraceServiceClient::connect(sink.grpc.clone())
        .await
        .unwrap();
    client.export(request([1])).await.unwrap();
    drop(sink.stop);
    sink.task.await.unwrap().unwrap();
    assert!(client.export(request([2])).await.is_err());
}
