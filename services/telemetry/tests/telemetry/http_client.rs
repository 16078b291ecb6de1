//! The boundary for outgoing requests, over real connections.

use axum::{Router, http::HeaderMap, http::StatusCode, routing::get};
use opentelemetry::{
    Value,
    trace::{SpanKind, Status},
};
use tracing::Instrument;

use crate::{
    recorder::{Recorder, attributes, error_text, expected, named, text},
    server::{ClosedPort, serve, serve_traced},
};

#[tokio::test]
async fn a_call_is_a_client_span_with_the_attributes_of_the_conventions() {
    let recorder = Recorder::start();
    let inventory = serve(Router::new().route("/stock", get(async || "plenty"))).await;
    let url = format!("http://{inventory}/stock?sku=TENT-2P-GRN");
    telemetry::http_client::client()
        .get(&url)
        .send()
        .await
        .unwrap();

    let span = recorder.only().await;
    assert_eq!(span.name, "GET");
    assert_eq!(span.span_kind, SpanKind::Client);
    assert_eq!(span.status, Status::Unset);
    assert_eq!(
        attributes(&span),
        expected([
            ("http.request.method", text("GET")),
            ("http.response.status_code", Value::I64(200)),
            ("network.protocol.version", text("1.1")),
            ("server.address", text("127.0.0.1")),
            ("server.port", Value::I64(inventory.port().into())),
            ("url.full", text(&url)),
        ])
    );
}

#[tokio::test]
async fn seen_from_the_caller_a_4xx_is_an_error_as_well() {
    for (status, error) in [
        (200, false),
        (302, false),
        (402, true),
        (404, true),
        (503, true),
    ] {
        let recorder = Recorder::start();
        let reply = StatusCode::from_u16(status).unwrap();
        let payment = serve(Router::new().route("/", get(async move || reply))).await;
        let client = telemetry::http_client::client();
        client
            .get(format!("http://{payment}/"))
            .send()
            .await
            .unwrap();

        let span = recorder.only().await;
        assert_eq!(
            matches!(span.status, Status::Error { .. }),
            error,
            "{status}"
        );
        let error_type = error.then(|| text(&status.to_string()));
        assert_eq!(
            attributes(&span).get("error.type"),
            error_type.as_ref(),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error_that_says_why() {
    let recorder = Recorder::start();
    let closed = ClosedPort::reserve();
    let away = closed.address;
    let url = format!("http://{away}/");
    assert!(
        telemetry::http_client::client()
            .get(&url)
            .send()
            .await
            .is_err()
    );

    let span = recorder.only().await;
    assert!(error_text(&span).contains("refused"), "{:?}", span.status);
    assert_eq!(
        attributes(&span),
        expected([
            ("error.type", text("connect")),
            ("http.request.method", text("GET")),
            ("server.address", text("127.0.0.1")),
            ("server.port", Value::I64(away.port().into())),
            ("url.full", text(&url)),
        ])
    );
}

#[tokio::test]
async fn user_and_password_are_not_recorded() {
    let recorder = Recorder::start();
    let server = serve(Router::new()).await;
    let url: reqwest::Url = format!("http://ada:secret@{server}/").parse().unwrap();
    let client = telemetry::http_client::client();
    // reqwest turns credentials into a header, but not for a request that is built by hand.
    client.get(url.clone()).send().await.unwrap();
    let request = reqwest::Request::new(reqwest::Method::GET, url);
    client.execute(request).await.unwrap();

    let spans = recorder.ended(2).await;
    assert!(!format!("{spans:?}").contains("secret"), "{spans:?}");
    let redacted = format!("http://REDACTED:REDACTED@{server}/");
    assert_eq!(attributes(&spans[1])["url.full"], text(&redacted));
}

#[tokio::test]
async fn caller_and_callee_are_one_trace_and_the_baggage_comes_along() {
    let recorder = Recorder::start();
    let callee = async |headers: HeaderMap| headers["baggage"].to_str().unwrap().to_owned();
    let inventory = serve_traced(Router::new().route("/prices", get(callee))).await;
    let calling = async move || {
        let url = format!("http://{inventory}/prices");
        let reply = telemetry::http_client::client()
            .get(url)
            .send()
            .await
            .unwrap();
        reply.text().await.unwrap()
    };
    let checkout = serve_traced(Router::new().route(
        "/checkout",
        get(async move || {
            calling()
                .instrument(tracing::info_span!("validate cart"))
                .await
        }),
    ))
    .await;
    let request = reqwest::Client::new().get(format!("http://{checkout}/checkout"));
    let reply = request
        .header("baggage", "lab.request=r-1;p=2")
        .send()
        .await
        .unwrap();
    assert_eq!(reply.text().await.unwrap(), "lab.request=r-1;p=2");

    let spans = recorder.ended(4).await;
    let path =
        ["GET /checkout", "validate cart", "GET", "GET /prices"].map(|name| named(&spans, name));
    for step in path.windows(2) {
        let (parent, child) = (&step[0], &step[1]);
        assert_eq!(
            child.span_context.trace_id(),
            parent.span_context.trace_id()
        );
        assert_eq!(
            child.parent_span_id,
            parent.span_context.span_id(),
            "{}",
            child.name
        );
    }
    assert!(path[3].parent_span_is_remote);
}

#[tokio::test]
async fn headers_of_an_earlier_context_are_replaced() {
    let recorder = Recorder::start();
    let callee = async |headers: HeaderMap| {
        let values: Vec<_> = headers.get_all("traceparent").iter().collect();
        format!("{values:?}")
    };
    let server = serve(Router::new().route("/", get(callee))).await;
    let request = telemetry::http_client::client()
        .get(format!("http://{server}/"))
        .header(
            "traceparent",
            "00-12345678901234567890123456789012-1234567890123456-01",
        );
    let seen = request.send().await.unwrap().text().await.unwrap();
    let span = recorder.only().await.span_context;
    assert_eq!(
        seen,
        format!("[\"00-{}-{}-03\"]", span.trace_id(), span.span_id())
    );
}
