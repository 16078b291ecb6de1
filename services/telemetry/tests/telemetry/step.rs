//! The recording of errors on the spans of steps.

use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;
use telemetry::{Failed, step, step_within};
use thiserror::Error;
use tracing::info_span;

use crate::recorder::{Recorder, attributes, error_text, event_attributes, expected, named, text};

#[derive(Debug, Error)]
enum Trouble {
    #[error("the card was declined")]
    Declined,
    #[error("there is no product {0}")]
    UnknownProduct(String),
    #[error("the order {order} is not settled yet: {cause}")]
    Unresolved { order: u32, cause: Box<Trouble> },
}

#[derive(Debug, Error)]
#[error(transparent)]
struct Wrapped(#[from] Trouble);

async fn charge() -> Result<(), Failed<Trouble>> {
    step(info_span!("charge"), async { Err(Trouble::Declined)? }).await
}

fn assert_status_only(span: &SpanData, error_type: &str) {
    assert_eq!(error_text(span), "the card was declined", "{}", span.name);
    assert_eq!(
        attributes(span),
        expected([("error.type", text(error_type))]),
        "{}",
        span.name
    );
    assert!(span.events.is_empty(), "{}: {:?}", span.name, span.events);
}

#[tokio::test]
async fn the_deepest_step_records_the_exception_and_the_steps_above_only_the_status() {
    let recorder = Recorder::start();
    let outcome: Result<(), Failed<Trouble>> = step(info_span!("order"), async {
        step(info_span!("pay"), async {
            charge().await?;
            Ok(())
        })
        .await
    })
    .await;
    assert!(matches!(
        outcome.unwrap_err().into_error(),
        Trouble::Declined
    ));

    let spans = recorder.ended(3).await;
    let charge = named(&spans, "charge");
    assert_eq!(error_text(charge), "the card was declined");
    assert_eq!(charge.events.len(), 1);
    assert_eq!(charge.events[0].name, "exception");
    assert_eq!(
        event_attributes(&charge.events[0]),
        expected([
            ("exception.message", text("the card was declined")),
            ("exception.type", text("telemetry::step::Trouble")),
        ])
    );
    assert_status_only(named(&spans, "pay"), "telemetry::step::Trouble");
    assert_status_only(named(&spans, "order"), "telemetry::step::Trouble");
}

#[tokio::test]
async fn a_step_that_succeeds_has_no_status() {
    let recorder = Recorder::start();
    let outcome: Result<u32, Failed<Trouble>> = step(info_span!("order"), async { Ok(1) }).await;
    assert_eq!(outcome.unwrap(), 1);
    let span = recorder.only().await;
    assert_eq!(span.status, Status::Unset);
    assert!(span.events.is_empty() && span.attributes.is_empty());
}

#[tokio::test]
async fn an_error_that_a_step_below_handled_does_not_hide_the_next_one() {
    let recorder = Recorder::start();
    let outcome: Result<(), Failed<Trouble>> = step(info_span!("order"), async {
        assert!(charge().await.is_err());
        Err(Trouble::UnknownProduct("MUG".to_owned()))?
    })
    .await;
    assert!(outcome.is_err());
    let spans = recorder.ended(2).await;
    let order = named(&spans, "order");
    assert_eq!(error_text(order), "there is no product MUG");
    assert_eq!(order.events.len(), 1, "it was born here");
}

#[tokio::test]
async fn an_error_of_another_type_stays_recorded_under_what_it_said() {
    let recorder = Recorder::start();
    let outcome: Result<(), Failed<Wrapped>> = step(info_span!("order"), async {
        charge().await.map_err(|failed| failed.map(Wrapped::from))
    })
    .await;
    assert!(outcome.is_err());
    let spans = recorder.ended(2).await;
    assert_status_only(named(&spans, "order"), "telemetry::step::Wrapped");
}

#[tokio::test]
async fn what_a_step_makes_of_an_error_is_no_new_error() {
    let recorder = Recorder::start();
    let outcome: Result<(), Failed<Trouble>> = step(info_span!("order"), async {
        let unresolved = |cause| Trouble::Unresolved {
            order: 7,
            cause: Box::new(cause),
        };
        charge().await.map_err(|failed| failed.map(unresolved))
    })
    .await;
    let error = outcome.unwrap_err().into_error();
    assert_eq!(
        error.to_string(),
        "the order 7 is not settled yet: the card was declined"
    );
    let spans = recorder.ended(2).await;
    assert_status_only(named(&spans, "order"), "telemetry::step::Trouble");
}

#[tokio::test]
async fn an_error_goes_from_task_to_task_and_is_still_recorded_once() {
    let recorder = Recorder::start();
    let outcome: Result<(), Failed<Trouble>> = step(info_span!("order"), async {
        tokio::spawn(charge()).await.expect("it does not panic")
    })
    .await;
    assert!(outcome.is_err());
    let spans = recorder.ended(2).await;
    assert_eq!(named(&spans, "charge").events.len(), 1);
    assert_status_only(named(&spans, "order"), "telemetry::step::Trouble");
}

#[tokio::test]
async fn a_step_within_a_span_records_on_it() {
    let recorder = Recorder::start();
    let span = info_span!("process message");
    let work = async { Err(Trouble::Declined)? };
    let outcome: Result<(), Failed<Trouble>> =
        tracing::Instrument::instrument(step_within(work), span).await;
    assert!(outcome.is_err());
    let span = recorder.only().await;
    assert_eq!(error_text(&span), "the card was declined");
    assert_eq!(span.events.len(), 1);
}
