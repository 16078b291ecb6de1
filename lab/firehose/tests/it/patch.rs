//! A copy of a template is the template with other ids and times, and is otherwise the same, byte for byte.

use std::{collections::HashSet, sync::Arc};

use firehose::{
    Batch, BatchError, Encoding, Framing, Run, SpanSlot, Template, TemplateError, TraceSlot,
};
use proptest::{collection::vec, prelude::*};
use testing::spans;
use trace::{Span, TraceId, otlp};

use crate::{SPANS, orders};

const BEGIN: u64 = 1_790_000_000_000_000_000;
const NUMBER: u8 = 7;

/// The spans as a copy must have them.
fn copy_of(template: &[Span], trace: TraceSlot, start_ns: u64) -> Vec<Span> {
    let old = template[0].trace_id;
    let began = template.iter().map(|span| span.start_ns).min().unwrap();
    let sequence = trace.sequence;
    let named = |id| {
        let index = template.iter().position(|span| span.span_id == id)?;
        Some(SpanSlot { sequence, index }.id())
    };
    let moved = |time: u64| time.wrapping_sub(began).wrapping_add(start_ns);
    let mut copy = template.to_vec();
    for span in &mut copy {
        span.trace_id = trace.id();
        span.span_id = named(span.span_id).unwrap();
        span.parent_span_id = span.parent_span_id.map(|id| named(id).unwrap_or(id));
        span.start_ns = moved(span.start_ns);
        span.end_ns = moved(span.end_ns);
        for event in &mut span.events {
            event.time_ns = moved(event.time_ns);
        }
        for link in span.links.iter_mut().filter(|link| link.trace_id == old) {
            link.trace_id = trace.id();
            link.span_id = named(link.span_id).unwrap_or(link.span_id);
        }
    }
    copy
}

/// A body with the traces from `first` on.
fn body(batch: &Batch, run: Run, first: u64, start_ns: u64) -> Vec<u8> {
    let mut body = batch.body();
    batch.patch(&mut body, run, first, start_ns);
    body.to_vec()
}

/// Spans of one trace with ids of their own, some of them children of others and linked with others.
fn any_trace() -> impl Strategy<Value = Vec<Span>> {
    let linked = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    vec((spans::any_span(), linked), 1..8).prop_map(|spans| {
        let (mut spans, linked): (Vec<Span>, Vec<_>) = spans.into_iter().unzip();
        let ids: Vec<_> = (1..).take(spans.len()).map(spans::span_id).collect();
        for ((span, id), (parent, link)) in spans.iter_mut().zip(&ids).zip(linked) {
            span.trace_id = spans::trace_id();
            span.span_id = *id;
            if span.parent_span_id.is_some() {
                let parent = parent.get(&ids);
                span.parent_span_id = (parent != id).then_some(*parent);
            }
            let time = |time: u64| BEGIN + time % 1_000_000_000;
            span.start_ns = time(span.start_ns);
            span.end_ns = time(span.end_ns);
            for event in &mut span.events {
                event.time_ns = time(event.time_ns);
            }
            if let Some(first) = span.links.first_mut() {
                first.trace_id = spans::trace_id();
                first.span_id = *link.get(&ids);
            }
        }
        spans
    })
}

proptest! {
    #[test]
    fn nothing_but_ids_and_times_changes(
        template in any_trace(),
        run in 1u32..1 << 24,
        first in 0..firehose::SEQUENCES - 3,
        // Times of 19 digits, also those of spans that end before they start.
        start_ns in 1_000_000_002_000_000_000u64..9_000_000_000_000_000_000,
    ) {
        let run = Run::new(run).unwrap();
        let shared = Arc::new(Template::new(&template).unwrap());
        let spans = 3 * template.len();
        let copies: Vec<Vec<Span>> = (first..first + 3)
            .map(|sequence| {
                copy_of(&template, TraceSlot { run, template: NUMBER, sequence }, start_ns)
            })
            .collect();

        let batch =
            Batch::new(Arc::clone(&shared), NUMBER, spans, Encoding::Protobuf, Framing::Plain).unwrap();
        let expected: Vec<u8> = copies.iter().flat_map(otlp::to_protobuf).collect();
        prop_assert_eq!(batch.bytes(), expected.len());
        prop_assert!(body(&batch, run, first, start_ns) == expected);

        let batch =
            Batch::new(Arc::clone(&shared), NUMBER, spans, Encoding::Protobuf, Framing::Grpc).unwrap();
        let grpc = body(&batch, run, first, start_ns);
        prop_assert_eq!(grpc[0], 0);
        prop_assert_eq!(&grpc[1..5], (expected.len() as u32).to_be_bytes());
        prop_assert!(grpc[5..] == expected);

        let batch = Batch::new(shared, NUMBER, spans, Encoding::Json, Framing::Plain).unwrap();
        let json: serde_json::Value =
            serde_json::from_slice(&body(&batch, run, first, start_ns)).unwrap();
        let expected: Vec<_> = copies
            .iter()
            .flat_map(|copy| document(copy)["resourceSpans"].as_array().unwrap().clone())
            .collect();
        prop_assert_eq!(&json["resourceSpans"], &serde_json::Value::Array(expected));
    }
}

#[test]
fn every_span_says_which_one_it_is() {
    let run = Run::new(77).unwrap();
    for encoding in [Encoding::Protobuf, Encoding::Json] {
        let batch = orders(4, encoding, Framing::Plain);
        let mut buffer = batch.body();
        let mut seen = HashSet::new();
        // The same buffer again and again: what was in it before leaves no trace.
        for first in [0, 4, 8] {
            batch.patch(&mut buffer, run, first, BEGIN);
            let decoded = match encoding {
                Encoding::Protobuf => otlp::from_protobuf(&buffer).unwrap(),
                Encoding::Json => otlp::from_json(&buffer).unwrap(),
            };
            assert_eq!(decoded.rejected, []);
            assert_eq!(decoded.spans.len(), 4 * SPANS);
            for (at, span) in decoded.spans.iter().enumerate() {
                let trace = TraceSlot::of(span.trace_id).unwrap();
                assert_eq!((trace.run, trace.template), (run, 3));
                let slot = SpanSlot::of(span.span_id).unwrap();
                assert_eq!(slot.sequence, trace.sequence);
                assert_eq!(slot.sequence, first + (at / SPANS) as u64);
                assert!(slot.index < SPANS);
                assert!(seen.insert((span.trace_id, span.span_id)));
                let parent = span.parent_span_id.map(|id| SpanSlot::of(id).unwrap());
                assert!(parent.is_none_or(|parent| parent.sequence == slot.sequence));
            }
        }
    }
}

#[test]
fn the_built_in_order_is_a_trace_as_shops_have_it() {
    let spans = firehose::typical();
    let template = Template::new(&spans).unwrap();
    assert_eq!(template.spans(), SPANS);
    let bytes = template.protobuf().len() / SPANS;
    assert!((390..=410).contains(&bytes), "{bytes} bytes a span");
    assert!(spans.iter().all(|span| span.attributes.0.len() == 8));
    let trace = trace::Trace::new(spans[0].trace_id, spans);
    assert_eq!(trace.services().len(), 5);
    assert_eq!((trace.roots().count(), trace.orphans().count()), (1, 0));
}

#[test]
fn what_is_no_template_is_refused() {
    let refused = |spans: &[Span]| Template::new(spans).unwrap_err();
    assert!(matches!(refused(&[]), TemplateError::Empty));
    let good = firehose::typical();

    let mut two = good.clone();
    two[3].trace_id = TraceId::from_bytes([1; 16]).unwrap();
    assert!(matches!(refused(&two), TemplateError::TwoTraces(..)));

    let mut twice = good.clone();
    twice[3].span_id = twice[2].span_id;
    assert!(matches!(refused(&twice), TemplateError::SpanTwice(id) if id == twice[2].span_id));

    let mut timeless = good.clone();
    timeless[3].end_ns = 0;
    assert!(matches!(refused(&timeless), TemplateError::Time(time) if time == "0"));

    let mut early = good;
    early[11].events[0].time_ns = 1;
    assert!(matches!(refused(&early), TemplateError::Time(time) if time == "1"));
}

#[test]
fn what_is_no_batch_is_refused() {
    let template = Arc::new(Template::new(&firehose::typical()).unwrap());
    let refused = |spans, encoding, framing| {
        Batch::new(Arc::clone(&template), 0, spans, encoding, framing).unwrap_err()
    };
    let error = refused(500, Encoding::Protobuf, Framing::Grpc);
    let text = "500 spans are no whole number of traces of 12 spans; 504 are";
    assert_eq!(error.to_string(), text);
    let error = refused(0, Encoding::Protobuf, Framing::Grpc);
    let text = "0 spans are no whole number of traces of 12 spans; 12 are";
    assert_eq!(error.to_string(), text);
    let error = refused(12, Encoding::Json, Framing::Grpc);
    assert_eq!(error, BatchError::JsonByGrpc);
}

fn document(spans: &[trace::Span]) -> serde_json::Value {
    serde_json::from_str(&otlp::to_json(spans)).unwrap()
}
