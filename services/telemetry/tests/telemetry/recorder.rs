//! Records the spans of one test, behind the same bridge that the services use.
//!
//! The subscriber is set for the thread only, so that tests can run concurrently: use it in tests whose
//! runtime has one thread, as `#[tokio::test]` has by default.

use std::{
    collections::BTreeMap,
    future::{Future, ready},
    sync::{Arc, Mutex},
    time::Duration,
};

use opentelemetry::{
    KeyValue, Value, global,
    propagation::TextMapCompositePropagator,
    trace::{Event, Status, TracerProvider as _},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter},
};
use telemetry::propagation::{StrictBaggagePropagator, StrictTraceContextPropagator};
use tokio::time::{Instant, sleep};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;

/// The spans that ended in this test.
pub(crate) struct Recorder {
    kept: Kept,
    _subscriber: DefaultGuard,
}

#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        self.0.lock().unwrap().extend(batch);
        ready(Ok(()))
    }
}

// === impl Recorder ===

impl Recorder {
    /// A recorder with the default sampler.
    pub(crate) fn start() -> Self {
        Self::with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
    }

    pub(crate) fn with_sampler(sampler: Sampler) -> Self {
        global::set_text_map_propagator(TextMapCompositePropagator::new(vec![
            Box::new(StrictTraceContextPropagator::default()),
            Box::new(StrictBaggagePropagator::default()),
        ]));
        let kept = Kept::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(kept.clone())
            .with_sampler(sampler)
            .build();
        let bridge = telemetry::signals::traces::bridge(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(bridge);
        Recorder {
            kept,
            _subscriber: tracing::subscriber::set_default(subscriber),
        }
    }

    pub(crate) fn spans(&self) -> Vec<SpanData> {
        self.kept.0.lock().unwrap().clone()
    }

    /// Waits until exactly `count` spans have ended.
    pub(crate) async fn ended(&self, count: usize) -> Vec<SpanData> {
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            let spans = self.spans();
            if spans.len() == count {
                return spans;
            }
            let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
            assert!(
                spans.len() < count && Instant::now() < patience,
                "{count} spans should end, and these did: {names:?}"
            );
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits for the only span of the test.
    pub(crate) async fn only(&self) -> SpanData {
        self.ended(1).await.remove(0)
    }
}

/// The only span with this name.
#[track_caller]
pub(crate) fn named<'a>(spans: &'a [SpanData], name: &str) -> &'a SpanData {
    let names: Vec<_> = spans.iter().map(|span| span.name.as_ref()).collect();
    let mut found = spans.iter().filter(|span| span.name == name);
    let (one, more) = (found.next(), found.next());
    assert!(more.is_none(), "one span {name:?} is expected in {names:?}");
    one.unwrap_or_else(|| panic!("no span {name:?} in {names:?}"))
}

/// All attributes of a span. A key that occurs twice is a panic.
#[track_caller]
pub(crate) fn attributes(span: &SpanData) -> BTreeMap<String, Value> {
    by_key(&span.attributes)
}

/// All attributes of an event. A key that occurs twice is a panic.
#[track_caller]
pub(crate) fn event_attributes(event: &Event) -> BTreeMap<String, Value> {
    by_key(&event.attributes)
}

/// The attributes that a test expects, in the form of [`attributes`].
pub(crate) fn expected<const N: usize>(entries: [(&str, Value); N]) -> BTreeMap<String, Value> {
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

pub(crate) fn text(value: &str) -> Value {
    Value::String(value.to_owned().into())
}

/// The text of an error status.
#[track_caller]
pub(crate) fn error_text(span: &SpanData) -> &str {
    match &span.status {
        Status::Error { description } => description,
        other => panic!("the status of {:?} should be error: {other:?}", span.name),
    }
}

#[track_caller]
fn by_key(attributes: &[KeyValue]) -> BTreeMap<String, Value> {
    let map: BTreeMap<_, _> = attributes
        .iter()
        .map(|attribute| (attribute.key.to_string(), attribute.value.clone()))
        .collect();
    assert_eq!(map.len(), attributes.len(), "a key twice: {attributes:?}");
    map
}
