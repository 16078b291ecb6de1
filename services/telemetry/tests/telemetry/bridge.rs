//! The bridge from `tracing` to OpenTelemetry: which `tracing` spans and events are exported.

use opentelemetry::Value;

use crate::recorder::{Recorder, attributes, expected, text};

#[tokio::test]
async fn spans_of_libraries_and_of_debugging_are_not_recorded() {
    let recorder = Recorder::start();
    tracing::info_span!(target: "hyper::client", "connection").in_scope(|| ());
    tracing::info_span!(target: "sqlx", "acquire").in_scope(|| ());
    tracing::debug_span!("detail").in_scope(|| ());
    tracing::info_span!("apply_discount").in_scope(|| ());
    assert_eq!(recorder.only().await.name, "apply_discount");
}

#[tokio::test]
async fn a_span_within_one_that_is_not_recorded_belongs_to_the_one_around_it() {
    let recorder = Recorder::start();
    let outer = tracing::info_span!("outer");
    outer.in_scope(|| {
        tracing::debug_span!("detail").in_scope(|| tracing::info_span!("inner").in_scope(|| ()));
    });
    drop(outer);
    let spans = recorder.ended(2).await;
    assert_eq!(spans[0].name, "inner");
    assert_eq!(spans[0].parent_span_id, spans[1].span_context.span_id());
}

#[tokio::test]
async fn attributes_are_the_fields_of_the_span_and_numbers_stay_numbers() {
    let recorder = Recorder::start();
    tracing::info_span!(
        "process_order",
        order.id = "o-1",
        order.item_count = 3_i64,
        order.share = 0.5,
        order.discount_applied = true,
        order.note = tracing::field::Empty,
    )
    .in_scope(|| ());
    assert_eq!(
        attributes(&recorder.only().await),
        expected([
            ("order.discount_applied", Value::Bool(true)),
            ("order.id", text("o-1")),
            ("order.item_count", Value::I64(3)),
            ("order.share", Value::F64(0.5)),
        ])
    );
}

#[tokio::test]
async fn log_lines_are_no_span_events() {
    let recorder = Recorder::start();
    tracing::info_span!("step").in_scope(|| {
        tracing::warn!("something odd");
        tracing::error!(error = "worse", "something wrong");
    });
    let span = recorder.only().await;
    assert!(span.events.is_empty(), "{:?}", span.events);
    assert_eq!(span.status, opentelemetry::trace::Status::Unset);
}
