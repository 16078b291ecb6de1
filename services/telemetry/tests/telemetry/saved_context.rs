//! Context that outlives its request, as in the row of an outbox.

use telemetry::SavedContext;

use crate::recorder::{Recorder, named};

#[tokio::test]
async fn work_that_is_done_later_goes_on_in_the_same_trace() {
    let recorder = Recorder::start();
    let row = tracing::info_span!("write outbox").in_scope(|| SavedContext::current().to_json());

    let later = tracing::info_span!("relay outbox");
    SavedContext::from_json(&row).adopt(&later);
    drop(later);

    let spans = recorder.ended(2).await;
    let (first, second) = (named(&spans, "write outbox"), named(&spans, "relay outbox"));
    assert_eq!(
        second.span_context.trace_id(),
        first.span_context.trace_id()
    );
    assert_eq!(second.parent_span_id, first.span_context.span_id());
}

#[tokio::test]
async fn text_that_is_no_context_loses_the_trace_and_not_the_work() {
    for text in [
        "",
        "null",
        "[]",
        "{\"traceparent\": 7}",
        "{\"traceparent\": \"no\"}",
    ] {
        let recorder = Recorder::start();
        let span = tracing::info_span!("relay outbox");
        SavedContext::from_json(text).adopt(&span);
        drop(span);
        let span = recorder.only().await;
        assert_eq!(
            span.parent_span_id.to_string(),
            "0000000000000000",
            "{text:?}"
        );
    }
}

#[test]
fn outside_a_span_there_is_nothing_to_save() {
    assert_eq!(SavedContext::current(), SavedContext::default());
    assert_eq!(SavedContext::current().to_json(), "{}");
}
