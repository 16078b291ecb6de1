//! The effect of each tracing fault on the spans and the headers of a service, and that nothing else
//! changes.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{
    collections::HashMap,
    future::{Future, ready},
    sync::Arc,
    time::{Duration, SystemTime},
};

use opentelemetry::{
    Context, KeyValue,
    baggage::BaggageExt,
    propagation::TextMapPropagator,
    trace::{SpanKind, TraceContextExt, Tracer, TracerProvider},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SimpleSpanProcessor, SpanData, SpanExporter},
};
use parking_lot::Mutex;
use sabotage::{EVENT, Injection, Sabotage, injecting};
use telemetry::{Layers, propagation::StrictTraceContextPropagator};

#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        self.0.lock().extend(batch);
        ready(Ok(()))
    }
}

/// A request to a service with sabotaged tracing.
struct Request {
    kept: Kept,
    provider: SdkTracerProvider,
    context: Context,
}

impl Request {
    /// A request to `service`, with this one member in its baggage.
    fn to(service: &'static str, key: &'static str, value: &'static str) -> Request {
        let kept = Kept::default();
        let processor = Sabotage::of(service).processor(SimpleSpanProcessor::new(kept.clone()));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .build();
        Request {
            kept,
            provider,
            context: Context::new().with_baggage([KeyValue::new(key, value)]),
        }
    }

    /// Handles the request in one span.
    fn handle(&self, kind: SpanKind) {
        let tracer = self.provider.tracer("test");
        let span = tracer
            .span_builder("GET /prices")
            .with_kind(kind)
            .with_attributes([
                KeyValue::new("http.request.method", "GET"),
                KeyValue::new("url.path", "/prices"),
                KeyValue::new("url.query", "sku=MUG-BLU"),
            ])
            .start_with_context(&tracer, &self.context);
        drop(span);
    }

    fn exported(&self) -> Vec<SpanData> {
        self.kept.0.lock().clone()
    }
}

fn has_event(span: &SpanData) -> bool {
    span.events.iter().any(|event| event.name == EVENT)
}

#[test]
fn a_span_is_lost_only_where_the_request_asks_for_it_and_only_the_span_of_the_request() {
    let asked = Request::to("payment", "lab.fault.missing-span", "on");
    asked.handle(SpanKind::Server);
    assert!(asked.exported().is_empty());
    asked.handle(SpanKind::Internal);
    assert_eq!(asked.exported().len(), 1);

    let healthy = Request::to("payment", "user", "on");
    healthy.handle(SpanKind::Server);
    let exported = healthy.exported();
    assert_eq!(exported.len(), 1);
    assert!(!has_event(&exported[0]));
}

#[test]
fn a_fault_of_another_service_does_nothing() {
    let request = Request::to("inventory", "lab.fault.missing-span", "on");
    request.handle(SpanKind::Server);
    let exported = request.exported();
    assert_eq!(exported.len(), 1);
    assert!(!has_event(&exported[0]));
}

#[test]
fn a_clock_that_is_off_shifts_the_span_and_its_events() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let request = Request::to("payment", "lab.fault.clock-skew", "on;offset_ms=-3600000");
    let before = SystemTime::now();
    request.handle(SpanKind::Server);
    let after = SystemTime::now();
    let span = request.exported().remove(0);
    let is_shifted = |time: SystemTime| (before..=after).contains(&(time + HOUR));
    assert!(is_shifted(span.start_time), "{:?}", span.start_time);
    assert!(is_shifted(span.end_time), "{:?}", span.end_time);
    assert!(has_event(&span), "the fault is written on the span");
    for event in span.events.iter() {
        assert!(is_shifted(event.timestamp), "{event:?}");
    }
}

#[test]
fn a_span_that_is_exported_twice_is_the_same_span() {
    let request = Request::to("inventory", "lab.fault.duplicate-spans", "on");
    request.handle(SpanKind::Server);
    let ids: Vec<_> = request
        .exported()
        .iter()
        .map(|span| span.span_context.span_id())
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn an_unbounded_name_holds_path_and_query() {
    let request = Request::to("inventory", "lab.fault.unbounded-names", "on");
    request.handle(SpanKind::Server);
    assert_eq!(request.exported()[0].name, "GET /prices?sku=MUG-BLU");
}

#[test]
fn late_spans_are_kept_back_and_none_is_lost_at_the_end() {
    let request = Request::to("inventory", "lab.fault.late-spans", "on;delay_ms=60000");
    request.handle(SpanKind::Server);
    assert!(request.exported().is_empty(), "it is kept back");
    request.provider.shutdown().unwrap();
    assert_eq!(request.exported().len(), 1);
}

/// The headers of a call within a sampled trace.
fn headers() -> HashMap<String, String> {
    let provider = SdkTracerProvider::builder().build();
    let context = Context::new().with_span(provider.tracer("test").start("call"));
    let propagator = Sabotage::of("checkout").propagator(StrictTraceContextPropagator::default());
    let mut headers = HashMap::new();
    propagator.inject_context(&context, &mut headers);
    headers
}

#[tokio::test]
async fn a_careless_call_carries_nothing_or_says_that_it_is_not_sampled() {
    let flags = |headers: &HashMap<String, String>| {
        let traceparent = headers.get("traceparent")?;
        Some(traceparent.rsplit('-').next()?.to_owned())
    };
    let is_sampled = |flags: &str| u8::from_str_radix(flags, 16).unwrap() & 1 == 1;

    assert!(is_sampled(&flags(&headers()).unwrap()));
    let careless = injecting(Injection::Unsampled, async { headers() }).await;
    assert!(!is_sampled(&flags(&careless).unwrap()));
    let careless = injecting(Injection::Nothing, async { headers() }).await;
    assert!(careless.is_empty(), "{careless:?}");
}
