//! What readers make of answers that are no traces: another backend, refused credentials, a backend that is busy, one that
//! answers a part, and answers of backends that cannot be run here, as their documentation has them.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a panic is how a test fails"
)]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use backends::{Access, Kind, Query, ReadError, Reader, open};
use tokio::net::TcpListener;
use trace::TraceId;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

type Answers = Arc<dyn Fn(&str, &HeaderMap) -> Response + Send + Sync>;

/// A server that answers a path and query in this way.
async fn server(answer: impl Fn(&str, &HeaderMap) -> Response + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers: Answers = Arc::new(answer);
    let route = async |State(answers): State<Answers>, uri: Uri, headers: HeaderMap| {
        answers(&uri.to_string(), &headers)
    };
    let app = Router::new().fallback(route).with_state(answers);
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

fn reader(kind: Kind, url: &str) -> Box<dyn Reader> {
    open(&kind, Some(url), &Access::default()).unwrap()
}

fn json(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

fn not_found() -> Response {
    StatusCode::NOT_FOUND.into_response()
}

fn id() -> TraceId {
    TRACE.parse().unwrap()
}

#[tokio::test]
async fn another_backend_is_named() {
    let zipkin = server(|path, _| match path {
        "/api/v2/services" => json("[]"),
        _ => not_found(),
    })
    .await;
    let error = reader(Kind::Jaeger, &zipkin)
        .identify()
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("it looks like Zipkin (--backend zipkin)"),
        "{error}"
    );
    let page =
        server(|_, _| ([(header::CONTENT_TYPE, "text/html")], "<h1>hi</h1>").into_response()).await;
    for kind in [
        Kind::Jaeger,
        Kind::JaegerV1,
        Kind::Zipkin,
        Kind::Tempo,
        Kind::Sink,
        Kind::VictoriaTraces,
    ] {
        let error = reader(kind, &page).identify().await.unwrap_err();
        assert!(matches!(error, ReadError::OtherBackend { .. }), "{error}");
        assert!(
            error.to_string().contains("a web page of another kind"),
            "{error}"
        );
        assert!(!error.to_string().contains("<h1>"), "{error}");
    }
}

#[tokio::test]
async fn nothing_at_the_address_is_said() {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = reader(Kind::Zipkin, &url).identify().await.unwrap_err();
    assert!(matches!(error, ReadError::Unreachable { .. }), "{error}");
    // A server without TLS at an address with TLS.
    let plain = server(|_, _| not_found())
        .await
        .replace("http://", "https://");
    let error = reader(Kind::Zipkin, &plain).identify().await.unwrap_err();
    assert!(matches!(error, ReadError::Tls { .. }), "{error:?}");
}

#[tokio::test]
async fn refused_credentials_are_named_and_sent_ones_are_not() {
    let guarded = server(|_, headers| match headers.get("authorization") {
        Some(value) if value == "Bearer secret-1" => json("[]"),
        _ => (StatusCode::UNAUTHORIZED, "no token").into_response(),
    })
    .await;
    let error = reader(Kind::Zipkin, &guarded)
        .identify()
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("401") && error.contains("--header"),
        "{error}"
    );
    let with = |secret: &str| {
        let headers = vec![format!("Authorization: Bearer {secret}").parse().unwrap()];
        open(&Kind::Zipkin, Some(&guarded), &Access { headers, ca: None }).unwrap()
    };
    let wrong = with("secret-2");
    let error = wrong.identify().await.unwrap_err().to_string();
    assert!(!error.contains("secret-2"), "{error}");
    assert!(!format!("{wrong:?}").contains("secret-2"), "{wrong:?}");
    with("secret-1").identify().await.unwrap();
}

#[tokio::test]
async fn a_busy_backend_says_when_to_come_again() {
    let busy = server(|_, _| {
        (
            StatusCode::TOO_MANY_REQUESTS,
            [(header::RETRY_AFTER, "7")],
            "slow down",
        )
            .into_response()
    })
    .await;
    match reader(Kind::Jaeger, &busy).trace(id()).await.unwrap_err() {
        ReadError::Busy {
            status,
            after,
            said,
            ..
        } => {
            assert_eq!((status, after), (429, Some(Duration::from_secs(7))));
            assert_eq!(said, "slow down");
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_backend_that_starts_is_no_other_backend() {
    let starting =
        server(|_, _| (StatusCode::INTERNAL_SERVER_ERROR, "no keyspace yet").into_response()).await;
    let error = reader(Kind::Zipkin, &starting)
        .identify()
        .await
        .unwrap_err();
    assert!(
        matches!(error, ReadError::Failed { status: 500, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_that_is_no_trace_is_an_error_and_no_loss() {
    let odd = server(|_, _| json("{\"hello\": 1}")).await;
    for kind in [Kind::Jaeger, Kind::JaegerV1, Kind::Zipkin] {
        let error = reader(kind, &odd).trace(id()).await.unwrap_err();
        assert!(matches!(error, ReadError::Answer { .. }), "{error}");
    }
    let absent = server(|_, _| not_found()).await;
    for kind in [
        Kind::Jaeger,
        Kind::JaegerV1,
        Kind::Zipkin,
        Kind::Tempo,
        Kind::Sink,
        Kind::VictoriaTraces,
    ] {
        assert!(reader(kind, &absent).trace(id()).await.unwrap().is_none());
    }
}

/// A span as Tempo stores it: OTLP.
fn span() -> trace::Span {
    testing::spans::healthy().remove(0)
}

#[tokio::test]
async fn tempo_answers_protobuf_with_a_status() {
    let spans = vec![span()];
    let trace = trace::otlp::to_protobuf(&spans);
    // TraceByIDResponse: trace = 1, status = 3 (PARTIAL is 1), message = 4.
    let mut body = vec![0x0a];
    let mut length = trace.len();
    while length >= 0x80 {
        body.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    body.push(length as u8);
    body.extend(trace);
    body.extend([0x18, 1, 0x22, 3]);
    body.extend(b"max");
    let body = Bytes::from(body);
    let tempo = server(move |path, headers| match path {
        path if path.starts_with("/api/v2/traces/") => {
            assert_eq!(headers[header::ACCEPT], "application/protobuf");
            (
                [(header::CONTENT_TYPE, "application/protobuf")],
                body.clone(),
            )
                .into_response()
        }
        "/api/status/buildinfo" => json(r#"{"version":"2.9.0","revision":"abc"}"#),
        path if path.starts_with("/api/search") => {
            json(r#"{"traces":[{"traceID":"bf92f3577b34da6a3ce929d0e0e4736"}],"metrics":{}}"#)
        }
        _ => not_found(),
    })
    .await;
    let reader = reader(Kind::Tempo, &tempo);
    assert_eq!(reader.identify().await.unwrap().to_string(), "Tempo 2.9.0");
    let read = reader.trace(spans[0].trace_id).await.unwrap().unwrap();
    assert_eq!(read.spans, spans);
    assert!(read.is_partial);
    assert_eq!(read.notes, ["max"]);
    let found = reader
        .search(&Query {
            limit: 5,
            ..Query::default()
        })
        .await
        .unwrap();
    assert_eq!(found, ["0bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap()]);
}

#[tokio::test]
async fn victoria_traces_answers_as_jaeger_below_a_path() {
    let victoria = server(|path, _| match path {
        "/select/jaeger/api/services" => json(r#"{"data":["checkout"],"errors":null,"limit":0,"offset":0,"total":1}"#),
        path if path == format!("/select/jaeger/api/traces/{TRACE}") => json(
            r#"{"data":[{"traceID":"4bf92f3577b34da6a3ce929d0e0e4736","spans":[{
                "traceID":"4bf92f3577b34da6a3ce929d0e0e4736","spanID":"00f067aa0ba902b7","operationName":"POST /checkout",
                "references":[],"startTime":1790000000000000,"duration":155000,
                "tags":[{"key":"span.kind","type":"string","value":"server"},{"key":"order.item_count","type":"string","value":"3"}],
                "logs":[],"processID":"p1"}],
                "processes":{"p1":{"serviceName":"checkout","tags":[]}}}],"errors":null,"limit":0,"offset":0,"total":1}"#,
        ),
        _ => not_found(),
    })
    .await;
    let reader = reader(Kind::VictoriaTraces, &victoria);
    assert_eq!(reader.identify().await.unwrap().name, "VictoriaTraces");
    let read = reader.trace(id()).await.unwrap().unwrap();
    assert_eq!(
        (&*read.spans[0].name, read.spans[0].service()),
        ("POST /checkout", "checkout")
    );
}

#[tokio::test]
async fn a_command_prints_a_trace_and_its_failures_are_named() {
    let folder = std::env::temp_dir();
    let document = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{TRACE}","spanId":"00f067aa0ba902b7","name":"a"}}]}}]}}]}}"#
    );
    let command = |script: String| reader(Kind::Command(format!("sh -c '{script}' x")), "");
    let prints = command(format!(
        r#"test "$1" = {TRACE} && echo "{}" || true"#,
        document.replace('"', "\\\"")
    ));
    prints.identify().await.unwrap();
    assert_eq!(prints.trace(id()).await.unwrap().unwrap().spans.len(), 1);
    let fails = command("echo no database >&2; exit 3".to_owned());
    let error = fails.trace(id()).await.unwrap_err().to_string();
    assert!(error.contains("exit status: 3: no database"), "{error}");
    let always = command(format!("echo \"{}\"", document.replace('"', "\\\"")));
    // It prints a trace for any id: what is of another id is not taken.
    assert!(
        always
            .trace("4bf92f3577b34da6a3ce929d0e0e4737".parse().unwrap())
            .await
            .unwrap()
            .is_none()
    );
    let missing = reader(
        Kind::Command(folder.join("no-such-program").display().to_string()),
        "",
    );
    assert!(
        missing
            .trace(id())
            .await
            .unwrap_err()
            .to_string()
            .contains("cannot be started")
    );
}
