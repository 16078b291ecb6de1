//! Too many requests at once are told to come later, in the words of each protocol.

use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use sink::Config;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::Code;

use crate::{
    Sink,
    http::{JSON, PROTOBUF, error},
    request,
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

fn crowded() -> Config {
    Config {
        max_in_flight: 1,
        retry_after: Duration::from_millis(1_500),
        ..Config::default()
    }
}

/// A request that has its place and keeps it until its last byte is sent.
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
            b"{}".to_vec()
        } else {
            Vec::new()
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
    let body = request([1]).encode_to_vec();
    let mut half = half_a_request(&sink, &body).await;
    for content_type in [PROTOBUF, JSON] {
        let answer = until_crowded(&sink, content_type).await;
        assert_eq!(
            answer.headers()["retry-after"],
            "2",
            "whole seconds, rounded up"
        );
        assert_eq!(answer.headers()["content-type"], content_type);
        assert_eq!(error(answer).await.0, Code::ResourceExhausted as i32);
    }
    assert!(sink.store.stats().requests.overloaded >= 2);
    assert_eq!(sink.spans().received, 0, "nobody knows what was in them");

    half.write_all(&body[body.len() - 1..]).await.unwrap();
    let mut answer = String::new();
    half.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 "),
        "the one that had its place is taken: {answer}"
    );
    assert_eq!(
        sink.post("/v1/traces", PROTOBUF, None, Vec::new())
            .await
            .status(),
        200,
        "and its place is free"
    );
    assert_eq!(sink.spans().stored, 1);
}

#[tokio::test]
async fn grpc_says_resource_exhausted_with_retry_info() {
    let sink = Sink::start(crowded()).await;
    let body = request([1]).encode_to_vec();
    let half = half_a_request(&sink, &body).await;
    until_crowded(&sink, PROTOBUF).await;
    let mut client = TraceServiceClient::connect(sink.grpc.clone())
        .await
        .unwrap();
    let status = client
        .export(request([2]))
        .await
        .expect_err("there is one place for both protocols");
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
async fn a_request_that_never_ends_loses_its_place() {
    let sink = Sink::start(Config {
        request_timeout: Duration::from_secs(1),
        ..crowded()
    })
    .await;
    let mut half = half_a_request(&sink, &request([1]).encode_to_vec()).await;
    let mut answer = Vec::new();
    half.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(
        sink.post("/v1/traces", PROTOBUF, None, Vec::new())
            .await
            .status(),
        200
    );
}
