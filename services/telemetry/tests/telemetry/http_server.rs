//! The boundary for incoming requests, over real connections.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Request},
    http::StatusCode,
    middleware::{Next, from_fn},
    routing::get,
};
use futures::future::join_all;
use opentelemetry::{
    Context, Value,
    baggage::BaggageExt,
    trace::{SpanKind, Status, TraceContextExt},
};
use reqwest::Client;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::{Notify, mpsc},
};

use crate::{
    recorder::{Recorder, attributes, error_text, event_attributes, expected, named, text},
    server::{serve, serve_traced},
};

const TRACE: &str = "12345678901234567890123456789012";
const CALLER: &str = "00-12345678901234567890123456789012-1234567890123456-01";

#[tokio::test]
async fn a_request_is_a_server_span_named_by_its_route_with_the_attributes_of_the_conventions() {
    let recorder = Recorder::start();
    let shop = serve_traced(Router::new().route("/orders/{id}", get(async || "an order"))).await;
    let reply = Client::new()
        .get(format!("http://{shop}/orders/7?full=1"))
        .header("user-agent", "curl/8.0")
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), StatusCode::OK);

    let span = recorder.only().await;
    assert_eq!(span.name, "GET /orders/{id}");
    assert_eq!(span.span_kind, SpanKind::Server);
    assert_eq!(span.status, Status::Unset);
    assert!(span.events.is_empty(), "{:?}", span.events);
    assert_eq!(
        attributes(&span),
        expected([
            ("http.request.method", text("GET")),
            ("http.response.status_code", Value::I64(200)),
            ("http.route", text("/orders/{id}")),
            ("network.protocol.version", text("1.1")),
            ("server.address", text("127.0.0.1")),
            ("server.port", Value::I64(shop.port().into())),
            ("url.path", text("/orders/7")),
            ("url.query", text("full=1")),
            ("url.scheme", text("http")),
            ("user_agent.original", text("curl/8.0")),
        ])
    );
}

#[tokio::test]
async fn what_is_not_known_of_a_request_is_no_attribute() {
    let recorder = Recorder::start();
    let shop = serve_traced(Router::new()).await;
    Client::new()
        .get(format!("http://{shop}/no/such/page"))
        .send()
        .await
        .unwrap();

    let span = recorder.only().await;
    assert_eq!(
        span.name, "GET",
        "the raw path would make a name for each order"
    );
    assert_eq!(
        attributes(&span),
        expected([
            ("http.request.method", text("GET")),
            ("http.response.status_code", Value::I64(404)),
            ("network.protocol.version", text("1.1")),
            ("server.address", text("127.0.0.1")),
            ("server.port", Value::I64(shop.port().into())),
            ("url.path", text("/no/such/page")),
            ("url.scheme", text("http")),
        ])
    );
}

#[tokio::test]
async fn the_address_of_an_ipv6_host_is_without_brackets() {
    let recorder = Recorder::start();
    let shop = serve_traced(Router::new()).await;
    let request = Client::new().get(format!("http://{shop}/"));
    request.header("host", "[::1]:8081").send().await.unwrap();

    let attributes = attributes(&recorder.only().await);
    assert_eq!(attributes["server.address"], text("::1"));
    assert_eq!(attributes["server.port"], Value::I64(8081));
}

#[tokio::test]
async fn the_error_of_a_caller_leaves_the_status_unset_and_ours_sets_it() {
    for (status, ours) in [
        (400, false),
        (404, false),
        (499, false),
        (500, true),
        (503, true),
    ] {
        let recorder = Recorder::start();
        let reply = StatusCode::from_u16(status).unwrap();
        let shop = serve_traced(Router::new().route("/", get(async move || reply))).await;
        Client::new()
            .get(format!("http://{shop}/"))
            .send()
            .await
            .unwrap();

        let span = recorder.only().await;
        let attributes = attributes(&span);
        assert_eq!(
            attributes["http.response.status_code"],
            Value::I64(status.into())
        );
        let error_type = ours.then(|| text(&status.to_string()));
        assert_eq!(
            attributes.get("error.type"),
            error_type.as_ref(),
            "{status}"
        );
        assert_eq!(
            matches!(span.status, Status::Error { .. }),
            ours,
            "{status}"
        );
        assert!(
            span.events.is_empty(),
            "a status is no exception: {:?}",
            span.events
        );
    }
}

#[tokio::test]
async fn a_panic_is_an_exception_and_a_500_and_the_service_lives_on() {
    let recorder = Recorder::start();
    let router = Router::new()
        .route("/fine", get(async || "fine"))
        .route("/panics", get(panics));
    let shop = serve_traced(router).await;
    let reply = Client::new()
        .get(format!("http://{shop}/panics"))
        .send()
        .await
        .unwrap();

    let span = recorder.only().await;
    assert_eq!(reply.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(reply.headers()["content-type"], "application/problem+json");
    let problem: serde_json::Value = reply.json().await.unwrap();
    assert_eq!(problem["status"], 500);
    assert_eq!(
        problem["trace_id"],
        span.span_context.trace_id().to_string()
    );
    assert!(
        !problem.to_string().contains("card reader"),
        "what the panic said is for the trace, not for the caller: {problem}"
    );

    let attributes = attributes(&span);
    assert_eq!(attributes["error.type"], text("panic"));
    assert_eq!(attributes["http.response.status_code"], Value::I64(500));
    assert_eq!(error_text(&span), "the card reader is on fire");
    assert_eq!(span.events.len(), 1);
    assert_eq!(span.events[0].name, "exception");
    assert_eq!(
        event_attributes(&span.events[0]),
        expected([
            ("exception.message", text("the card reader is on fire")),
            ("exception.type", text("panic")),
        ])
    );

    let again = Client::new()
        .get(format!("http://{shop}/fine"))
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), StatusCode::OK);
}

async fn panics() -> &'static str {
    panic!("the {} is on fire", "card reader")
}

#[tokio::test]
async fn every_reply_names_its_server_span_in_traceresponse() {
    let router = Router::new()
        .route("/fine", get(async || "fine"))
        .route("/fails", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .route("/panics", get(panics));
    for (method, path) in [
        ("GET", "/fine"),
        ("GET", "/fails"),
        ("GET", "/panics"),
        ("GET", "/nowhere"),
        ("POST", "/fine"),
    ] {
        let recorder = Recorder::start();
        let shop = serve_traced(router.clone()).await;
        let request =
            Client::new().request(method.parse().unwrap(), format!("http://{shop}{path}"));
        let reply = request.send().await.unwrap();
        let span = recorder.only().await.span_context;
        assert_eq!(
            reply.headers()["traceresponse"],
            format!("00-{}-{}-03", span.trace_id(), span.span_id()),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn the_context_of_the_caller_arrives() {
    let recorder = Recorder::start();
    let shop = serve_traced(Router::new().route("/", get(read_baggage))).await;
    let request = Client::new()
        .get(format!("http://{shop}/"))
        .header("traceparent", CALLER)
        .header("tracestate", "vendor=1")
        .header("baggage", "lab.request=r-1");
    let reply = request.send().await.unwrap();
    assert_eq!(reply.text().await.unwrap(), "r-1");

    let span = recorder.only().await;
    assert_eq!(span.span_context.trace_id().to_string(), TRACE);
    assert_eq!(span.parent_span_id.to_string(), "1234567890123456");
    assert!(span.parent_span_is_remote);
    assert_eq!(span.span_context.trace_state().header(), "vendor=1");
    assert_eq!(
        attributes(&span)["lab.request"],
        text("r-1"),
        "record_baggage puts it there"
    );
}

/// Reads the baggage through the standard API, and records it as a service does.
async fn read_baggage() -> String {
    telemetry::propagation::record_baggage("lab.request");
    telemetry::propagation::record_baggage("not.there");
    let context = Context::current();
    let value = context.baggage().get("lab.request");
    value.map(ToString::to_string).unwrap_or_default()
}

#[tokio::test]
async fn a_caller_whose_trace_is_not_sampled_is_answered_and_not_recorded() {
    let recorder = Recorder::start();
    let shop = serve_traced(Router::new().route("/", get(current_ids))).await;
    let request = Client::new().get(format!("http://{shop}/"));
    let unsampled = CALLER.replace("-01", "-00");
    let reply = request
        .header("traceparent", unsampled)
        .send()
        .await
        .unwrap();
    let traceresponse = reply.headers()["traceresponse"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        traceresponse.starts_with(&format!("00-{TRACE}-")),
        "{traceresponse}"
    );
    assert!(traceresponse.ends_with("-00"), "{traceresponse}");
    assert_eq!(reply.text().await.unwrap(), format!("{TRACE} {TRACE}"));
    assert_eq!(recorder.spans(), []);
}

#[tokio::test]
async fn handlers_of_concurrent_requests_each_see_their_own_trace() {
    let recorder = Recorder::start();
    let shop = serve_traced(Router::new().route("/", get(current_ids))).await;
    let client = Client::new();
    let calls = (1..=20).map(|n| {
        let request = client.get(format!("http://{shop}/"));
        let request = request.header("traceparent", format!("00-{n:032x}-00000000000000aa-01"));
        async move { (n, request.send().await.unwrap().text().await.unwrap()) }
    });
    for (n, ids) in join_all(calls).await {
        assert_eq!(ids, format!("{n:032x} {n:032x}"));
    }

    let spans = recorder.ended(40).await;
    for outer in spans.iter().filter(|span| span.name == "GET /") {
        let trace = outer.span_context.trace_id();
        let inner: Vec<_> = spans
            .iter()
            .filter(|span| span.span_context.trace_id() == trace && span.name == "step")
            .collect();
        assert_eq!(inner.len(), 1, "{trace}");
        assert_eq!(inner[0].parent_span_id, outer.span_context.span_id());
    }
}

/// The trace id according to this crate, and according to `opentelemetry` itself; both within an inner span.
#[tracing::instrument(name = "step")]
async fn current_ids() -> String {
    tokio::task::yield_now().await;
    let context = Context::current();
    let ours = telemetry::current_trace_id().unwrap_or_default();
    let theirs = context.span().span_context().trace_id();
    format!("{ours} {theirs}")
}

#[tokio::test]
async fn a_caller_that_hangs_up_ends_neither_the_work_nor_its_span() {
    let recorder = Recorder::start();
    let (started, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let work = {
        let (started, go_on) = (Arc::clone(&started), Arc::clone(&go_on));
        async move || {
            started.notify_one();
            go_on.notified().await;
            tracing::info_span!("the work is done").in_scope(|| "done")
        }
    };
    // Outside the middleware, to see when the server drops the request.
    let (abandoned, mut seen_abandoned) = mpsc::unbounded_channel();
    let watch = from_fn(move |request: Request, next: Next| {
        let on_drop = SendOnDrop(abandoned.clone());
        async move {
            let response = next.run(request).await;
            drop(on_drop);
            response
        }
    });
    let router = Router::new()
        .route(
            "/orders/{id}",
            get(async move |Path(_id): Path<String>| work().await),
        )
        .layer(from_fn(telemetry::http_server::trace))
        .layer(watch);
    let shop = serve(router).await;

    let mut caller = TcpStream::connect(shop).await.unwrap();
    caller
        .write_all(b"GET /orders/7 HTTP/1.1\r\nhost: shop\r\n\r\n")
        .await
        .unwrap();
    started.notified().await;
    drop(caller);
    seen_abandoned
        .recv()
        .await
        .expect("the server lets go of the request");
    assert_eq!(
        recorder.spans(),
        [],
        "the work goes on, and so does its span"
    );
    go_on.notify_one();

    let spans = recorder.ended(2).await;
    let (server, inner) = (
        named(&spans, "GET /orders/{id}"),
        named(&spans, "the work is done"),
    );
    assert_eq!(inner.parent_span_id, server.span_context.span_id());
    assert!(server.end_time >= inner.end_time);
    assert_eq!(
        attributes(server)["http.response.status_code"],
        Value::I64(200)
    );
}

struct SendOnDrop(mpsc::UnboundedSender<()>);

impl Drop for SendOnDrop {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}
