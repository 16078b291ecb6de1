//! OTLP/HTTP: both encodings, both compressions, three signals, and the answers to what is wrong.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sink::Config;
use trace::otlp;

use crate::{Sink, gzip, request, request_of, span, zstd};

pub(crate) const PROTOBUF: &str = "application/x-protobuf";
pub(crate) const JSON: &str = "application/json";

/// `google.rpc.Status`, as far as OTLP uses it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
}

impl Sink {
    pub(crate) async fn post(
        &self,
        path: &str,
        content_type: &str,
        encoding: Option<&str>,
        body: Vec<u8>,
    ) -> Response {
        let mut post = self
            .client
            .post(format!("{}{path}", self.http))
            .header("content-type", content_type);
        if let Some(encoding) = encoding {
            post = post.header("content-encoding", encoding);
        }
        post.body(body).send().await.expect("an answer")
    }
}

/// The code and message of an error, from a body in the encoding that its type says.
pub(crate) async fn error(response: Response) -> (i32, String) {
    let content_type = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    let body = response.bytes().await.unwrap();
    match content_type.as_str() {
        PROTOBUF => {
            let status = Status::decode(body).expect("google.rpc.Status in protobuf");
            (status.code, status.message)
        }
        JSON => {
            let status: Value = serde_json::from_slice(&body).expect("google.rpc.Status in JSON");
            let code = status["code"].as_i64().unwrap();
            (
                i32::try_from(code).unwrap(),
                status["message"].as_str().unwrap().to_owned(),
            )
        }
        other => panic!("{other} is no type of an error"),
    }
}

pub(crate) fn as_json(
    request: opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest,
) -> Vec<u8> {
    let spans = otlp::from_protobuf(&request.encode_to_vec()).unwrap().spans;
    otlp::to_json(&spans).into_bytes()
}

#[tokio::test]
async fn spans_come_in_both_encodings_and_all_compressions() {
    let sink = Sink::start(Config::default()).await;
    let mut sent = 0;
    for content_type in [PROTOBUF, JSON, "application/json; charset=utf-8"] {
        for encoding in [None, Some("identity"), Some("gzip"), Some("zstd")] {
            sent += 1;
            let request = request([sent]);
            let plain = if content_type == PROTOBUF {
                request.encode_to_vec()
            } else {
                as_json(request)
            };
            let body = match encoding {
                Some("gzip") => gzip(&plain),
                Some("zstd") => zstd(&plain),
                _ => plain,
            };
            let answer = sink.post("/v1/traces", content_type, encoding, body).await;
            assert_eq!(answer.status(), 200, "{content_type} {encoding:?}");
            let expected = if content_type == PROTOBUF {
                PROTOBUF
            } else {
                JSON
            };
            assert_eq!(
                answer.headers()["content-type"],
                expected,
                "in the encoding of the request"
            );
            let empty = if content_type == PROTOBUF { "" } else { "{}" };
            assert_eq!(answer.text().await.unwrap(), empty, "nothing was refused");
        }
    }
    assert_eq!(sink.spans().stored, u64::from(sent));
}

#[tokio::test]
async fn logs_and_metrics_are_counted() {
    let sink = Sink::start(Config::default()).await;
    let logs = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [{ "severityNumber": "SEVERITY_NUMBER_INFO" }, {}] }] }] });
    let points = json!([{ "asInt": "3" }, { "asDouble": "NaN" }, {}]);
    let metrics = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [{ "sum": { "dataPoints": points } }] }] }] });
    for (path, body) in [("/v1/logs", logs), ("/v1/metrics", metrics)] {
        assert_eq!(
            sink.post(path, JSON, None, body.to_string().into_bytes())
                .await
                .status(),
            200
        );
        assert_eq!(
            sink.post(path, PROTOBUF, None, Vec::new()).await.status(),
            200
        );
        assert_eq!(
            sink.post(path, PROTOBUF, None, vec![0xff]).await.status(),
            400
        );
        assert_eq!(
            sink.post(path, JSON, None, b"{".to_vec()).await.status(),
            400
        );
    }
    let stats = sink.store.stats();
    assert_eq!((stats.logs.received, stats.metrics.received), (2, 3));
}

#[tokio::test]
async fn spans_that_cannot_be_used_are_refused_by_partial_success() {
    let sink = Sink::start(Config::default()).await;
    let bad = request_of(vec![span(1, 1), span(0, 1)]);
    let answer = sink
        .post("/v1/traces", PROTOBUF, None, bad.encode_to_vec())
        .await
        .bytes()
        .await
        .unwrap();
    let partial = ExportTraceServiceResponse::decode(answer)
        .unwrap()
        .partial_success
        .unwrap();
    assert_eq!(partial.rejected_spans, 1);
    assert!(
        partial.error_message.contains("spans[1].traceId: all zero"),
        "{}",
        partial.error_message
    );

    let document = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [{ "traceId": "00", "spanId": "" }] }] }] });
    let answer = sink
        .post("/v1/traces", JSON, None, document.to_string().into_bytes())
        .await;
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(
        answer["partialSuccess"]["rejectedSpans"], "1",
        "an int64 is a string in JSON"
    );
    assert_eq!((sink.spans().stored, sink.spans().refused), (1, 2));
}

#[tokio::test]
async fn spans_with_the_field_names_of_old_are_refused_and_counted() {
    let sink = Sink::start(Config::default()).await;
    let spans = json!([{ "instrumentationLibrary": {}, "spans": [{}, {}, {}] }]);
    let old = json!({ "resourceSpans": [{ "instrumentationLibrarySpans": spans }] });
    let answer = sink
        .post("/v1/traces", JSON, None, old.to_string().into_bytes())
        .await;
    let answer: Value = answer.json().await.unwrap();
    let partial = &answer["partialSuccess"];
    assert_eq!(partial["rejectedSpans"], "3");
    let words = "instrumentationLibrarySpans: OTLP 0.15 renamed this field to scopeSpans, and OTLP 1.0 does \
                 not have the old name";
    assert_eq!(partial["errorMessage"], words);
    assert_eq!((sink.spans().received, sink.spans().refused), (3, 3));
    assert_eq!(sink.store.stats().requests.partial, 1);
}

/// A request of three spans, of which one has a text that was cut in the middle of a character.
pub(crate) fn cut_in_a_character() -> Vec<u8> {
    let mut cut = span(2, 2);
    cut.name = "caf#".to_owned();
    let mut bytes = request_of(vec![span(1, 1), cut, span(3, 3)]).encode_to_vec();
    let at = bytes.windows(4).position(|window| window == b"caf#");
    bytes[at.expect("the name is in it") + 3] = 0xc3;
    bytes
}

#[tokio::test]
async fn a_text_that_is_cut_in_a_character_costs_one_character_and_is_counted() {
    let sink = Sink::start(Config::default()).await;
    let answer = sink
        .post("/v1/traces", PROTOBUF, None, cut_in_a_character())
        .await;
    assert_eq!(answer.status(), 200);
    let answer = ExportTraceServiceResponse::decode(answer.bytes().await.unwrap()).unwrap();
    let partial = answer.partial_success.expect("a warning");
    let words = "U+FFFD replaces what is no character in 1 text";
    assert_eq!(
        (partial.rejected_spans, partial.error_message.as_str()),
        (0, words)
    );
    let lone = String::from_utf8(as_json(request([4]))).unwrap();
    let lone = lone.replace("\"name\":\"", "\"name\":\"\\ud83d");
    let answer = sink.post("/v1/traces", JSON, None, lone.into_bytes()).await;
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["partialSuccess"]["errorMessage"], words);
    assert_eq!((sink.spans().stored, sink.spans().refused), (4, 0));
    let stats = sink.store.stats();
    assert_eq!((stats.replaced, stats.requests.accepted), (2, 2));
    let cut = sink.store.trace(crate::trace_id(2)).expect("it is stored");
    assert_eq!(cut.spans()[0].name, "caf\u{fffd}");
}

#[tokio::test]
async fn what_is_malformed_is_refused_in_the_encoding_of_the_request() {
    let sink = Sink::start(Config::default()).await;
    for (content_type, encoding, body, words) in [
        (PROTOBUF, None, &b"\xff\xff"[..], "no OTLP protobuf"),
        (
            JSON,
            None,
            b"{\"resourceSpans\": 1}",
            "resourceSpans: an array is needed, not 1",
        ),
        (JSON, None, b"nonsense", "no JSON"),
        (PROTOBUF, Some("gzip"), b"no gzip", "the body is no Gzip"),
        (JSON, Some("zstd"), b"no zstd", "the body is no Zstd"),
    ] {
        let answer = sink
            .post("/v1/traces", content_type, encoding, body.to_vec())
            .await;
        assert_eq!(answer.status(), 400, "{content_type} {encoding:?}");
        assert_eq!(answer.headers()["content-type"], content_type);
        let (code, message) = error(answer).await;
        assert_eq!(code, tonic::Code::InvalidArgument as i32);
        assert!(message.contains(words), "{message} has no {words}");
    }
    assert_eq!(sink.store.stats().requests.malformed, 5);
}

#[tokio::test]
async fn a_type_or_an_encoding_that_is_not_served_is_named() {
    let sink = Sink::start(Config::default()).await;
    let answer = sink
        .post("/v1/traces", "text/plain", None, Vec::new())
        .await;
    assert_eq!(answer.status(), 415);
    assert!(
        error(answer)
            .await
            .1
            .contains("application/x-protobuf and application/json are")
    );
    let answer = sink
        .post("/v1/traces", PROTOBUF, Some("br"), Vec::new())
        .await;
    assert_eq!(answer.status(), 415);
    assert!(
        error(answer)
            .await
            .1
            .contains("gzip, zstd and identity are")
    );
    let answer = sink
        .client
        .post(format!("{}/v1/traces", sink.http))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 415);
}

#[tokio::test]
async fn another_method_or_path_is_answered() {
    let sink = Sink::start(Config::default()).await;
    let send = |method, path: &str| {
        sink.client
            .request(method, format!("{}{path}", sink.http))
            .send()
    };
    let answer = send(Method::GET, "/v1/traces").await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["allow"]),
        (405, &"POST".parse().unwrap())
    );
    assert!(error(answer).await.1.contains("POST"));
    let answer = send(Method::POST, "/v1/spans").await.unwrap();
    assert_eq!(answer.status(), 404);
    assert!(
        error(answer)
            .await
            .1
            .contains("/v1/traces, /v1/logs or /v1/metrics")
    );
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_a_bomb_does_not_go_off() {
    let sink = Sink::start(Config {
        max_request_bytes: 10_000,
        ..Config::default()
    })
    .await;
    let bomb = vec![0; 64 << 20];
    for (encoding, body) in [
        (None, vec![0; 10_001]),
        (Some("gzip"), gzip(&bomb)),
        (Some("zstd"), zstd(&bomb)),
    ] {
        let answer = sink.post("/v1/traces", PROTOBUF, encoding, body).await;
        assert_eq!(answer.status(), 413, "{encoding:?}");
        let (code, message) = error(answer).await;
        assert_eq!(code, tonic::Code::ResourceExhausted as i32);
        assert!(message.contains("larger than 10000 bytes"), "{message}");
    }
}

#[tokio::test]
async fn a_sender_of_much_too_much_hears_why() {
    let sink = Sink::start(Config {
        max_request_bytes: 10_000,
        ..Config::default()
    })
    .await;
    for _ in 0..20 {
        let answer = sink
            .post("/v1/traces", PROTOBUF, None, vec![0; 20 << 20])
            .await;
        assert_eq!(answer.status(), 413);
    }
}
