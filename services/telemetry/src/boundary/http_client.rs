//! The boundary for outgoing requests: a reqwest middleware that opens the CLIENT span and writes the
//! context into the headers.
//!
//! Business code uses the client like reqwest's own. Semantic conventions: "HTTP client" (stable); without a
//! URL template, the name of the span is the method alone.

use axum::http::Extensions;
use opentelemetry::{global, trace::Status};
use opentelemetry_semantic_conventions::attribute::{
    ERROR_TYPE, HTTP_REQUEST_RESEND_COUNT, HTTP_RESPONSE_STATUS_CODE, NETWORK_PROTOCOL_VERSION,
};
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::http_server::{protocol_version, without_brackets};
use crate::propagation::HeaderInjector;

/// A client whose requests carry the current context.
pub fn client() -> ClientWithMiddleware {
    traced(::http_client::with(|it| it))
}

/// Adds the middleware to a client: its requests then carry the current context.
pub fn traced(client: reqwest::Client) -> ClientWithMiddleware {
    ClientBuilder::new(client).with(Tracing).build()
}

/// How many times the request was sent before, as an extension of a request that is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResendCount(pub u32);

struct Tracing;

#[async_trait::async_trait]
impl Middleware for Tracing {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let span = client_span(&request);
        if let Some(ResendCount(count)) = extensions.get() {
            span.set_attribute(HTTP_REQUEST_RESEND_COUNT, i64::from(*count));
        }
        global::get_text_map_propagator(|propagator| {
            let mut headers = HeaderInjector(request.headers_mut());
            propagator.inject_context(&span.context(), &mut headers);
        });
        let outcome = next.run(request, extensions).instrument(span.clone()).await;
        match &outcome {
            Ok(response) => record_response(&span, response),
            Err(error) => {
                span.set_attribute(ERROR_TYPE, error_type(error));
                span.set_status(Status::error(innermost(error)));
            }
        }
        outcome
    }
}

fn client_span(request: &Request) -> Span {
    let method = request.method().as_str();
    let url = request.url();
    tracing::info_span!(
        "http.client",
        otel.name = method,
        otel.kind = "client",
        http.request.method = method,
        url.full = without_credentials(url).as_str(),
        server.address = url.host_str().map(without_brackets),
        server.port = url.port_or_known_default().map(i64::from),
    )
}

/// For a client a 4xx is an error as well: the call did not achieve its purpose.
fn record_response(span: &Span, response: &Response) {
    let status = response.status();
    span.set_attribute(HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
    if let Some(version) = protocol_version(response.version()) {
        span.set_attribute(NETWORK_PROTOCOL_VERSION, version);
    }
    if status.is_client_error() || status.is_server_error() {
        span.set_attribute(ERROR_TYPE, status.as_str().to_owned());
        span.set_status(Status::error(""));
    }
}

fn error_type(error: &reqwest_middleware::Error) -> &'static str {
    match error {
        reqwest_middleware::Error::Reqwest(error) if error.is_timeout() => "timeout",
        reqwest_middleware::Error::Reqwest(error) if error.is_connect() => "connect",
        reqwest_middleware::Error::Reqwest(_) => "reqwest::Error",
        reqwest_middleware::Error::Middleware(_) => "reqwest_middleware::Error",
    }
}

/// The error of the operating system. reqwest's own text also contains the URL, which the span already has.
fn innermost(error: &dyn std::error::Error) -> String {
    let last = std::iter::successors(Some(error), |&cause| cause.source()).last();
    last.map(ToString::to_string).unwrap_or_default()
}

/// Removes user and password from a URL: the conventions forbid them in `url.full`.
fn without_credentials(url: &reqwest::Url) -> reqwest::Url {
    let mut url = url.clone();
    if !url.username().is_empty() || url.password().is_some() {
        // The setters fail only for URLs that cannot have credentials, and so have none to hide.
        let _ = url.set_username("REDACTED");
        let _ = url.set_password(Some("REDACTED"));
    }
    url
}
