//! W3C Trace Context level 2, rule by rule: <https://www.w3.org/TR/trace-context-2/>.

mod flags;
mod round_trip;
mod traceparent;
mod tracestate;

use opentelemetry::{
    Context,
    propagation::TextMapPropagator,
    trace::{SpanContext, TraceContextExt},
};
use telemetry::{SavedContext, propagation::StrictTraceContextPropagator};

use crate::carrier::Headers;

const TRACE: &str = "12345678901234567890123456789012";
const VALID: &str = "00-12345678901234567890123456789012-1234567890123456-01";

fn received(headers: &[(&str, &str)]) -> SpanContext {
    let context = StrictTraceContextPropagator::default()
        .extract_with_context(&Context::new(), &Headers::of(headers));
    context.span().span_context().clone()
}

/// The headers that are sent for these received headers, without a span between.
fn passed_on(headers: &[(&str, &str)]) -> Headers {
    let propagator = StrictTraceContextPropagator::default();
    let context = propagator.extract_with_context(&Context::new(), &Headers::of(headers));
    let mut sent = Headers::default();
    propagator.inject_context(&context, &mut sent);
    sent
}

/// The `tracestate` that is sent for these received ones.
fn state(tracestates: &[&str]) -> Option<String> {
    let mut headers = vec![("traceparent", VALID)];
    headers.extend(tracestates.iter().map(|value| ("tracestate", *value)));
    passed_on(&headers).get("tracestate").map(ToOwned::to_owned)
}

/// The fields that the child of a child of a context sends.
fn sent_by_a_child_of(context: &SavedContext) -> serde_json::Value {
    let outer = tracing::info_span!("outer");
    context.adopt(&outer);
    let sent = outer.in_scope(|| tracing::info_span!("inner").in_scope(SavedContext::current));
    serde_json::from_str(&sent.to_json()).unwrap()
}

fn flags(sent: &serde_json::Value) -> u8 {
    let traceparent = sent["traceparent"].as_str().expect("a traceparent is sent");
    let (_, flags) = traceparent.rsplit_once('-').unwrap();
    u8::from_str_radix(flags, 16).unwrap()
}

#[track_caller]
fn assert_taken(traceparent: &str) {
    let received = received(&[("traceparent", traceparent)]);
    assert_eq!(received.trace_id().to_string(), TRACE, "{traceparent:?}");
}

#[track_caller]
fn assert_refused(traceparent: &str) {
    assert_starts_a_trace(&[("traceparent", traceparent)]);
}

#[track_caller]
fn assert_starts_a_trace(headers: &[(&str, &str)]) {
    assert_eq!(
        received(headers),
        SpanContext::empty_context(),
        "{headers:?}"
    );
}
