//! The routes and replies that every service of the shop has.

use axum::{
    Router,
    routing::{get, post},
};
use chassis::{AllowedHosts, http::Json};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use telemetry::Telemetry;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{service::Service, silent_telemetry::silent_telemetry};

/// A service with a greeting, a bug, and a route that reads a body.
async fn start(telemetry: Telemetry) -> Service {
    let router = Router::new()
        .route("/greeting", get(async || "good day"))
        .route("/bug", get(async || -> &'static str { panic!("a bug") }))
        .route(
            "/lengths",
            post(async |Json(text): Json<String>| text.len().to_string()),
        );
    let hosts = AllowedHosts::default();
    Service::start(|listener, stop| chassis::serve(listener, router, hosts, telemetry, stop)).await
}

async fn get_from(service: &Service, path: &str) -> Response {
    Client::new().get(service.url(path)).send().await.unwrap()
}

/// The trace id in a reply.
fn trace_of(response: &Response) -> Option<String> {
    let header = response.headers().get("traceresponse")?.to_str().unwrap();
    Some(header.split('-').nth(1).unwrap().to_owned())
}

#[tokio::test]
async fn health_and_flush_are_answered_and_not_traced() {
    let service = start(silent_telemetry()).await;
    let health = get_from(&service, "/healthz").await;
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
    let service = start(silent_telemetry()).await;
    let response = get_from(&service, "/nowhere").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let trace = trace_of(&response).expect("a reply names its trace");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["type"], "/problems/not-found");
    assert_eq!(problem["trace_id"], trace);
}

#[tokio::test]
async fn a_wrong_method_is_a_problem_that_says_which_would_be_right() {
    let service = start(silent_telemetry()).await;
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
async fn a_page_of_another_site_reaches_no_route() {
    let service = start(silent_telemetry()).await;
    for (method, path, header, status) in [
        ("GET", "/greeting", ("host", "rebound.example"), 421),
        ("GET", "/healthz", ("host", "rebound.example"), 421),
        ("GET", "/nowhere", ("host", "rebound.example"), 421),
        (
            "POST",
            "/lab/flush",
            ("origin", "http://other.example"),
            403,
        ),
        ("POST", "/lengths", ("sec-fetch-site", "cross-site"), 403),
    ] {
        let response = Client::new()
            .request(method.parse().unwrap(), service.url(path))
            .header(header.0, header.1)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{path} with {header:?}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
    }
    let greeting = get_from(&service, "/greeting").await;
    assert_eq!(greeting.headers()["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_service_lives_on() {
    let service = start(silent_telemetry()).await;
    let response = get_from(&service, "/bug").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        get_from(&service, "/greeting").await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_a_413_that_its_sender_gets_to_read() {
    let service = start(silent_telemetry()).await;
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
    let service = start(Telemetry::none()).await;
    assert_eq!(trace_of(&get_from(&service, "/greeting").await), None);
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
    let service = start(silent_telemetry()).await;
    let mut connection = TcpStream::connect(service.address).await.unwrap();
    connection
        .write_all(
            b"POST /lengths HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
              content-length: 6\r\nexpect: 100-continue\r\n\r\n",
        )
        .await
        .unwrap();
    let mut go_on = [0; 25];
    connection.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n", "the handler runs");

    let served = service.stop();
    connection.write_all(b"\"four\"").await.unwrap();
    let mut reply = String::new();
    connection.read_to_string(&mut reply).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    assert!(reply.ends_with('4'), "{reply}");
    served.await.unwrap().unwrap();
}
