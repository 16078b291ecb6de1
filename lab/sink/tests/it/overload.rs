//! Too many requests at once are told to come later, in the words of each protocol.

use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, trace_service_client::TraceServiceClient,
};
use prost::Message as _;
use sink::Config;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::Code;

use crate::{
    Sink,
    http::{JSON, PROTOBUF, as_json, error},
    request_of,
    store::heavy,
    trace_id,
};

/// `google.rpc.Status` with its details, as far as `RetryInfo` goes.
#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(message, optional, tag = "2")]
    retry_info: Option<RetryInfo>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// Room for one request of a span of 3,000 bytes, which stands in memory twice when it is taken, and its envelope; and for one of
/// 1,700 bytes only while the other is not there.
fn crowded() -> Config {
    Config {
        max_in_flight_bytes: 7_000,
        retry_after: Duration::from_millis(1_500),
        stalled_after: Duration::from_secs(60),
        ..Config::default()
    }
}

fn large() -> Vec<u8> {
    request_of(vec![heavy(1, 3_000)]).encode_to_vec()
}

fn other() -> ExportTraceServiceRequest {
    request_of(vec![heavy(2, 1_700)])
}

/// A request that has its room and keeps it until its last byte is sent.
async fn half_a_request(sink: &Sink, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(sink.http.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: sink\r\nconnection: close\r\ncontent-type: {PROTOBUF}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body[..body.len() - 1]).await.unwrap();
    stream
}

/// Asks until the answer is 429: the half request may not have come yet.
async fn until_crowded(sink: &Sink, content_type: &str) -> reqwest::Response {
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let body = if content_type == JSON {
            as_json(other())
        } else {
            other().encode_to_vec()
        };
        let answer = sink.post("/v1/traces", content_type, None, body).await;
        if answer.status() == 429 {
            return answer;
        }
        assert!(
            Instant::now() < patience,
            "never crowded: {}",
            answer.status()
        );
    }
}

#[tokio::test]
async fn http_says_429_and_when_to_come_again() {
    let sink = Sink::start(crowded()).await;
    let body = large();
    let mut half = half_a_request(&sink, &body).await;
    for content_type in [PROTOBUF, JSON] {
        let answer = until_crowded(&sink, content_type).await;
        assert_eq!(
            answer.headers()["retry-after"],
            "2",
            "whole seconds, rounded up"
        );
        assert_eq!(answer.headers()["content-type"], content_type);
        assert_eq!(
            answer.headers()["connection"],
            "close",
            "its body may not have been read"
        );
        assert_eq!(error(answer).await.0, Code::ResourceExhausted as i32);
    }
    assert!(sink.store.stats().requests.overloaded >= 2);

    half.write_all(&body[body.len() - 1..]).await.unwrap();
    let mut answer = String::new();
    half.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 "),
        "the one that had its room is taken: {answer}"
    );
    let again = sink.post("/v1/traces", PROTOBUF, None, other().encode_to_vec());
    assert_eq!(again.await.status(), 200, "and its room is free");
    assert!(sink.store.trace(trace_id(1)).is_some());
}

#[tokio::test]
async fn grpc_says_resource_exhausted_with_retry_info() {
    let sink = Sink::start(crowded()).await;
    let half = half_a_request(&sink, &large()).await;
    until_crowded(&sink, PROTOBUF).await;
    let mut client = TraceServiceClient::connect(sink.grpc.clone())
        .await
        .unwrap();
    let status = client
        .export(other())
        .await
        .expect_err("there is one room for both protocols");
    assert_eq!(status.code(), Code::ResourceExhausted);
    let details = Status::decode(status.details()).unwrap().details;
    assert_eq!(
        details[0].type_url,
        "type.googleapis.com/google.rpc.RetryInfo"
    );
    let delay = details[0].retry_info.clone().unwrap().retry_delay.unwrap();
    assert_eq!((delay.seconds, delay.nanos), (1, 500_000_000));
    drop(half);
}

#[tokio::test]
async fn a_request_that_never_ends_loses_its_room() {
    let sink = Sink::start(Config {
        request_timeout: Duration::from_secs(1),
        ..crowded()
    })
    .await;
    let mut half = half_a_request(&sink, &large()).await;
    let mut answer = Vec::new();
    half.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let again = sink.post("/v1/traces", PROTOBUF, None, other().encode_to_vec());
    assert_eq!(again.await.status(), 200);
}

#[tokio::test]
async fn a_request_that_does_not_go_on_gives_way_to_others() {
    let sink = Sink::start(Config {
        stalled_after: Duration::from_millis(100),
        ..crowded()
    })
    .await;
    let mut half = half_a_request(&sink, &large()).await;
    until_crowded(&sink, PROTOBUF).await;
    let mut answer = Vec::new();
    half.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    let again = sink.post("/v1/traces", PROTOBUF, None, other().encode_to_vec());
    assert_eq!(again.await.status(), 200);
}

/// Silent senders announce much and send nothing: they take no room from the one that sends.
#[tokio::test]
async fn what_is_only_announced_takes_no_room() {
    let sink = Sink::start(crowded()).await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        let body = large();
        let mut stream = half_a_request(&sink, &body[..1]).await;
        stream.flush().await.unwrap();
        silent.push(stream);
    }
    let answer = sink.post("/v1/traces", PROTOBUF, None, large()).await;
    assert_eq!(answer.status(), 200);
}
