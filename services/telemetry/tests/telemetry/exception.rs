//! The recording of errors on spans.

use opentelemetry::trace::Status;
use telemetry::exception;
use thiserror::Error;

use crate::recorder::{Recorder, attributes, error_text, event_attributes, expected, text};

#[derive(Debug, Error)]
#[error("the card was declined")]
struct Declined(#[source] Reply);

#[derive(Debug, Error)]
#[error("the provider said 402")]
struct Reply(#[source] std::io::Error);

#[derive(Debug, Error)]
#[error("a wrapped {0:?}")]
struct Wrapped<T: std::fmt::Debug>(T);

fn declined() -> Declined {
    Declined(Reply(std::io::Error::other("connection reset")))
}

#[tokio::test]
async fn a_recorded_error_is_an_exception_with_its_causes_and_the_status() {
    let recorder = Recorder::start();
    tracing::info_span!("process charge").in_scope(|| exception::record(&declined()));

    let span = recorder.only().await;
    assert_eq!(error_text(&span), "the card was declined");
    assert_eq!(
        attributes(&span),
        expected([("error.type", text("telemetry::exception::Declined"))])
    );
    assert_eq!(span.events.len(), 1);
    assert_eq!(span.events[0].name, "exception");
    assert_eq!(
        event_attributes(&span.events[0]),
        expected([
            ("exception.message", text("the card was declined")),
            (
                "exception.stacktrace",
                text("caused by: the provider said 402\ncaused by: connection reset")
            ),
            ("exception.type", text("telemetry::exception::Declined")),
        ])
    );
}

#[tokio::test]
async fn an_error_without_causes_has_no_stack_trace() {
    let recorder = Recorder::start();
    let error = std::io::Error::from(std::io::ErrorKind::NotFound);
    tracing::info_span!("read").in_scope(|| exception::record(&error));
    let span = recorder.only().await;
    let attributes = event_attributes(&span.events[0]);
    assert_eq!(attributes.get("exception.stacktrace"), None);
    assert_eq!(attributes["exception.type"], text("std::io::error::Error"));
}

#[tokio::test]
async fn the_type_of_an_error_is_named_without_its_generics() {
    let recorder = Recorder::start();
    tracing::info_span!("step").in_scope(|| exception::record(&Wrapped(vec![1])));
    let span = recorder.only().await;
    assert_eq!(
        attributes(&span)["error.type"],
        text("telemetry::exception::Wrapped")
    );
}

#[tokio::test]
async fn only_the_span_in_which_an_error_is_recorded_fails() {
    let recorder = Recorder::start();
    tracing::info_span!("outer").in_scope(|| {
        tracing::info_span!("inner").in_scope(|| exception::record(&declined()));
    });
    let spans = recorder.ended(2).await;
    assert_eq!(
        crate::recorder::named(&spans, "outer").status,
        Status::Unset
    );
}
