//! Records errors on spans.
//!
//! An exception is a span event (semantic conventions, "Exceptions on spans"); the status of the span
//! becomes error, and its `error.type` is the error's type. An error is recorded once, on the span in which
//! it occurred first; the spans above it get only a status of their own. A [`step`](crate::step()) does
//! both.

use std::error::Error;

use opentelemetry::{KeyValue, trace::Status};
use opentelemetry_semantic_conventions::attribute::{
    ERROR_TYPE, EXCEPTION_MESSAGE, EXCEPTION_STACKTRACE, EXCEPTION_TYPE,
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Records an error on the current span: the exception with its chain of causes, and the status.
pub fn record<E: Error>(error: &E) {
    record_as(type_name::<E>(), error);
}

/// Marks the current span as failed with an `E`, without an exception: the error of a span below it, with
/// this text, caused the failure and is recorded there.
pub(crate) fn propagate<E: Error>(text: &str) {
    let span = Span::current();
    span.set_attribute(ERROR_TYPE, type_name::<E>());
    span.set_status(Status::error(text.to_owned()));
}

/// Records a panic on a span: the panic's message takes the place of an error's.
pub(crate) fn record_panic(span: &Span, payload: &(dyn std::any::Any + Send)) {
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    span.add_event(
        "exception",
        vec![
            KeyValue::new(EXCEPTION_TYPE, "panic"),
            KeyValue::new(EXCEPTION_MESSAGE, message.clone()),
        ],
    );
    span.set_attribute(ERROR_TYPE, "panic");
    span.set_status(Status::error(message));
}

fn record_as(error_type: &'static str, error: &dyn Error) {
    let span = Span::current();
    let mut attributes = vec![
        KeyValue::new(EXCEPTION_TYPE, error_type),
        KeyValue::new(EXCEPTION_MESSAGE, error.to_string()),
    ];
    // The stack trace holds the chain of causes: Rust's errors have no stack trace.
    let causes = causes(error);
    if !causes.is_empty() {
        attributes.push(KeyValue::new(EXCEPTION_STACKTRACE, causes.join("\n")));
    }
    span.add_event("exception", attributes);
    span.set_attribute(ERROR_TYPE, error_type);
    span.set_status(Status::error(error.to_string()));
}

fn causes(error: &dyn Error) -> Vec<String> {
    std::iter::successors(error.source(), |&cause| cause.source())
        .map(|cause| format!("caused by: {cause}"))
        .collect()
}

/// The name of an error's type, without its generics, which would make the number of names unbounded.
fn type_name<E>() -> &'static str {
    let name = std::any::type_name::<E>();
    name.split('<').next().unwrap_or(name)
}
