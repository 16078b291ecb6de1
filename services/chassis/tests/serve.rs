//! What every service of the shop answers, whatever it does.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the bans are for what users run")]

use std::{net::SocketAddr, sync::OnceLock};

use axum::{
    Router,
    routing::{get, post},
};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use telemetry::Telemetry;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// Spans are made and nobody gets them. Telemetry is one for a process, so the tests share it.
fn telemetry() -> Telemetry {
    static TELEMETRY: OnceLock<Telemetry> = OnceLock::new();
    TELEMETRY
        .get_or_init(|| {
            let lookup = |name: &str| (name == "OTEL_TRACES_EXPORTER").then(|| "none".to_owned());
            telemetry::Config::from_variables("test", "0", &lookup)
                .unwrap()
                .install()
                .unwrap()
        })
        .clone()
}

struct Service {
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<std::io::Result<()>>,
}

impl Service {
    async fn start(observed: bool) -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let router = Router::new()
            .route("/greeting", get(async || "good day"))
            .route("/bug", get(async || -> &'static str { panic!("a bug") }))
            .route(
                "/lengths",
                post(async |api::Json(text): api::Json<String>| text.len().to_string()),
            );
        let served = tokio::spawn(async move {
            if observed {
                chassis::serve(listener, router, telemetry(), stopped).await
            } else {
                chassis::serve_unobserved(listener, router, stopped).await
            }
        });
        Service {
            address,
            stop,
            served,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str) -> Response {
        Client::new().get(self.url(path)).send().await.unwrap()
    }
}

/// The trace that a reply says it belongs to.
fn trace_of(response: &Response) -> Option<String> {
    let header = response.headers().get("traceresponse")?.to_str().unwrap();
    Some(header.split('-').nth(1).unwrap().to_owned())
}

#[tokio::test]
async fn health_and_flush_are_answered_and_not_traced() {
    let service = Service::start(true).await;
    let health = service.get("/healthz").await;
    assert_eq!(trace_of(&health), None);
    let health: Value = health.json().await.unwrap();
    assert_eq!(health, json!({ "status": "ok" }));

    let flush = Client::new()
        .post(service.url("/lab/flush"))
        .send()
        .await
        .unwrap();
    assert_eq!(trace_of(&flush), None);
    let counts: Value = flush.json().await.unwrap();
    assert_eq!(counts["queued"], 0, "{counts}");
}

#[tokio::test]
async fn a_problem_carries_the_trace_id_of_its_reply() {
    let service = Service::start(true).await;
    let response = service.get("/nowhere").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let trace = trace_of(&response).expect("a reply names its trace");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["type"], "/problems/not-found");
    assert_eq!(problem["trace_id"], trace);
}

#[tokio::test]
async fn a_wrong_method_is_a_problem_that_says_which_would_be_right() {
    let service = Service::start(true).await;
    let response = Client::new()
        .delete(service.url("/greeting"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "GET,HEAD");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["type"], "/problems/method-not-allowed");
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_service_lives_on() {
    let service = Service::start(true).await;
    let response = service.get("/bug").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(service.get("/greeting").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_a_413_that_its_sender_gets_to_read() {
    let service = Service::start(true).await;
    let body = format!("{:?}", "a".repeat(10_000_000));
    let response = Client::new()
        .post(service.url("/lengths"))
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await
        .expect("the reply, not a broken pipe");
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["type"], "/problems/body-too-large");
}

#[tokio::test]
async fn one_who_takes_no_part_in_the_tracing_answers_a_flush_with_zeros() {
    let service = Service::start(false).await;
    assert_eq!(trace_of(&service.get("/greeting").await), None);
    let flush = Client::new()
        .post(service.url("/lab/flush"))
        .send()
        .await
        .unwrap();
    let counts: Value = flush.json().await.unwrap();
    assert_eq!(
        (&counts["ended"], &counts["exported"]),
        (&json!(0), &json!(0))
    );
}

#[tokio::test]
async fn a_request_that_is_under_way_is_answered_before_the_service_stops() {
    let service = Service::start(true).await;
    let mut connection = TcpStream::connect(service.address).await.unwrap();
    connection
        .write_all(
            b"POST /lengths HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n\
              content-length: 6\r\nexpect: 100-continue\r\n\r\n",
        )
        .await
        .unwrap();
    let mut go_on = [0; 25];
    connection.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n", "the handler runs");

    service.stop.cancel();
    connection.write_all(b"\"four\"").await.unwrap();
    let mut reply = String::new();
    connection.read_to_string(&mut reply).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    assert!(reply.ends_with('4'), "{reply}");
    service.served.await.unwrap().unwrap();
}
