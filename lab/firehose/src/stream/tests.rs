//! Each span of a stream is in one request, with its ids and its content.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn workload() -> impl Strategy<Value = Workload> {
    let sizes = proptest::collection::vec(1usize..40, 1..4);
    (sizes, 1usize..5, 0usize..4, 1u64..400, any::<u64>()).prop_map(
        |(spans_per_request, pieces, lateness, spans, seed)| {
            let mut short = Shape::typical();
            short.spans.truncate(5);
            short.weight = 2;
            let shapes = vec![Shape::typical(), short];
            Workload {
                spans_per_request,
                pieces,
                lateness,
                seed,
                errors: 0.3,
                slow: 0.2,
                ..Workload::of(Run::new(7).unwrap(), shapes, spans)
            }
        },
    )
}

proptest! {
    #[test]
    fn each_span_is_in_exactly_one_request(workload in workload()) {
        let stream = Stream::new(&workload).unwrap();
        let mut seen: HashMap<u64, u64> = HashMap::new();
        // In two slices, of which the second begins with a request of its own.
        let begin = stream.slice(0, workload.spans / 2);
        let skipped = stream.cut(stream.end(&begin)) - begin.slots.end;
        let rest = stream.slice(stream.end(&begin), workload.spans);
        for slice in [begin, rest] {
            for request in slice.first..stream.end(&slice) {
                stream.slots(request, &slice, |slot| *seen.entry(slot).or_default() += 1);
            }
        }
        prop_assert_eq!(seen.len() as u64 + skipped, workload.spans);
        prop_assert!(seen.iter().all(|(slot, times)| *slot < workload.spans && *times == 1));
    }

    #[test]
    fn a_request_is_otlp_with_the_spans_of_its_slots(workload in workload()) {
        let stream = Stream::new(&workload).unwrap();
        let base = 1_790_000_000_000_000_000;
        let mut spans: Vec<trace::Span> = Vec::new();
        let all = stream.all();
        for request in 0..stream.end(&all) {
            let mut body = Vec::new();
            let count = stream.write(request, &all, |_| base, &mut body);
            let read = trace::otlp::from_protobuf(&body).unwrap();
            prop_assert!(read.rejected.is_empty());
            prop_assert_eq!(read.spans.len() as u64, count);
            let mut slots = Vec::new();
            stream.slots(request, &all, |slot| slots.push(slot));
            for (slot, span) in slots.into_iter().zip(&read.spans) {
                let trace = stream.trace(slot);
                prop_assert_eq!(stream.ids(&trace).id(), span.trace_id);
                let index = (slot - trace.first) as usize;
                let id = crate::SpanSlot { sequence: trace.sequence, index }.id();
                prop_assert_eq!(id, span.span_id);
                prop_assert_eq!(stream.trace_of(trace.sequence), trace);
            }
            spans.extend(read.spans);
        }
        // A trace that was cut is the recorded one again, by all but its ids and times.
        let whole = spans.iter().filter(|span| span.name.as_str() == "POST /checkout").count();
        prop_assert!(whole as u64 <= workload.spans);
    }
}

#[test]
fn the_shares_of_special_traces_are_those_of_the_workload() {
    let workload = Workload {
        errors: 0.1,
        slow: 0.02,
        ..Workload::of(Run::new(7).unwrap(), vec![Shape::typical()], 1_000_000)
    };
    let stream = Stream::new(&workload).unwrap();
    let traces: Vec<_> = (0..50_000)
        .map(|sequence| stream.trace_of(sequence))
        .collect();
    let share = |of: fn(&StreamTrace) -> bool| {
        traces.iter().filter(|trace| of(trace)).count() as f64 / traces.len() as f64
    };
    let (errors, slow) = (share(|trace| trace.is_error), share(|trace| trace.is_slow));
    assert!((0.09..0.11).contains(&errors), "{errors}");
    assert!((0.015..0.025).contains(&slow), "{slow}");
    let slow = traces.iter().find(|trace| trace.is_slow).unwrap();
    assert!(stream.duration_ns(slow) > 1_000_000_000);
}
