//! [`Refusal`]: a problem as the reply to a request.

use api::Problem;
use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use opentelemetry::{Context, trace::TraceContextExt};

/// A reply that contains a problem and the id of the trace that shows its cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal(pub Problem);

// === impl Refusal ===

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        Refusal(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Refusal(mut problem) = self;
        if problem.trace_id.is_none() {
            problem.trace_id = current_trace_id();
        }
        let body =
            serde_json::to_vec(&problem).expect("strings, a number and JSON values are JSON");
        let media_type = HeaderValue::from_static(Problem::MEDIA_TYPE);
        (problem.status, [(header::CONTENT_TYPE, media_type)], body).into_response()
    }
}

/// The trace id of the current request, if the request is recorded.
fn current_trace_id() -> Option<String> {
    let context = Context::current();
    let span = context.span();
    let span_context = span.span_context();
    span_context
        .is_valid()
        .then(|| span_context.trace_id().to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use axum::http::StatusCode;
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn a_reply_carries_the_media_type_and_the_trace_id() {
        let span_context = SpanContext::new(
            TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap(),
            SpanId::from_hex("b7ad6b7169203331").unwrap(),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        );
        let response = {
            let _active = Context::new()
                .with_remote_span_context(span_context)
                .attach();
            Refusal(Problem::internal()).into_response()
        };
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        let body = axum::body::to_bytes(response.into_body(), 4096)
            .await
            .unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    }

    #[test]
    fn outside_a_trace_there_is_no_trace_id() {
        assert_eq!(current_trace_id(), None);
    }
}
