//! The boundary for incoming requests: an axum middleware that opens the SERVER span.
//!
//! Use it with `axum::middleware::from_fn(telemetry::http_server::trace)` in `Router::layer`, so
//! that the matched route is known. Semantic conventions: "HTTP server" (stable).
//!
//! Handlers run detached: a caller that hangs up does not cancel the work, and the span ends when
//! the work ends.

use std::panic::AssertUnwindSafe;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use opentelemetry::{Context, global, trace::Status};
use opentelemetry_semantic_conventions::attribute::{ERROR_TYPE, HTTP_RESPONSE_STATUS_CODE};
use tracing::{Instrument, Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::{
    exception,
    propagation::{self, HeaderExtractor},
};

/// Handles one request inside its SERVER span, and names the span in the reply's `traceresponse`.
pub async fn trace(request: Request, next: Next) -> Response {
    let span = server_span(&request);
    propagation::adopt(&span, extract(&request));

    let work = async move {
        let span = Span::current();
        let handled = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        let mut response = match handled {
            Ok(response) => {
                record_error(&span, response.status());
                response
            }
            Err(panic) => {
                exception::record_panic(&span, panic.as_ref());
                internal_error()
            }
        };
        let status = i64::from(response.status().as_u16());
        span.set_attribute(HTTP_RESPONSE_STATUS_CODE, status);
        if let Some(value) = propagation::traceresponse(&span.context())
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            response.headers_mut().insert("traceresponse", value);
        }
        response
    };
    // The task continues when this future is dropped, which happens when a caller hangs up.
    match tokio::spawn(work.instrument(span)).await {
        Ok(response) => response,
        Err(_) => internal_error(),
    }
}

fn server_span(request: &Request) -> Span {
    let method = request.method().as_str();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(MatchedPath::as_str);
    // The raw path would give one name for each order. Without a route, the name is the method alone.
    let name = match route {
        Some(route) => format!("{method} {route}"),
        None => method.to_owned(),
    };
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let (address, port) = host.map_or((None, None), split_host);
    let agent = request
        .headers()
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok());
    tracing::info_span!(
        "http.server",
        otel.name = name,
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        url.path = request.uri().path(),
        url.query = request.uri().query(),
        url.scheme = "http",
        server.address = address,
        server.port = port,
        user_agent.original = agent,
        network.protocol.version = protocol_version(request.version()),
        http.response.status_code = Empty,
    )
}

/// The caller's context. It is empty if the request has none: then this span starts a trace.
fn extract(request: &Request) -> Context {
    global::get_text_map_propagator(|propagator| {
        propagator.extract_with_context(&Context::new(), &HeaderExtractor(request.headers()))
    })
}

/// A 4xx is the caller's error: the status of a SERVER span stays unset. A 5xx is ours.
fn record_error(span: &Span, status: StatusCode) {
    if status.is_server_error() {
        span.set_attribute(ERROR_TYPE, status.as_str().to_owned());
        span.set_status(Status::error(""));
    }
}

/// The reply when a handler panicked (RFC 9457), with the trace id.
fn internal_error() -> Response {
    let problem = serde_json::json!({
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "The service failed while it handled this request; its trace tells where.",
        "trace_id": propagation::current_trace_id(),
    });
    let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        content_type,
        problem.to_string(),
    )
        .into_response()
}

fn split_host(host: &str) -> (Option<&str>, Option<i64>) {
    match host.rsplit_once(':') {
        Some((address, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (Some(without_brackets(address)), port.parse().ok())
        }
        _ => (Some(without_brackets(host)), None),
    }
}

/// Removes the brackets of an IPv6 address: they are needed where a port may follow, and `server.address`
/// has none.
pub(crate) fn without_brackets(address: &str) -> &str {
    address.trim_matches(['[', ']'])
}

pub(crate) fn protocol_version(version: http::Version) -> Option<&'static str> {
    match version {
        http::Version::HTTP_10 => Some("1.0"),
        http::Version::HTTP_11 => Some("1.1"),
        http::Version::HTTP_2 => Some("2"),
        http::Version::HTTP_3 => Some("3"),
        _ => None,
    }
}
