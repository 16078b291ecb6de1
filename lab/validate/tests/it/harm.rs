//! Readers that harm what they read. Each harm is found in the case that is about it, and named as what it is.

use std::sync::Arc;

use trace::{Span, Status, Value};

use crate::Running;

/// What was found in a case, over all protocols.
async fn found(change: fn(&mut Vec<Span>), case: &str) -> Vec<String> {
    let running = Running::start().await;
    let document = running.validate(change, &[case], None).await;
    let mut losses: Vec<String> = document
        .cases
        .iter()
        .flat_map(|case| &case.losses)
        .map(ToString::to_string)
        .collect();
    losses.sort();
    losses.dedup();
    losses
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_link() {
    let drop_links = |spans: &mut Vec<Span>| spans.iter_mut().for_each(|span| span.links.clear());
    assert_eq!(
        found(drop_links, "link-within-the-trace").await,
        ["link: missing"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integer_that_became_text() {
    let to_text = |spans: &mut Vec<Span>| {
        for span in spans {
            for (_, value) in &mut span.attributes.0 {
                if let Value::Int(number) = value {
                    *value = Value::from(number.to_string());
                }
            }
        }
    };
    assert_eq!(
        found(to_text, "int-extremes").await,
        ["span.attribute[int]: as text"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn times_that_were_cut_or_rounded() {
    let cut = |spans: &mut Vec<Span>| {
        for span in spans {
            span.start_ns -= span.start_ns % 1_000;
            span.end_ns -= span.end_ns % 1_000;
        }
    };
    assert_eq!(
        found(cut, "nanoseconds").await,
        [
            "span.end: cut to microseconds",
            "span.start: cut to microseconds"
        ]
    );
    let round = |spans: &mut Vec<Span>| {
        for span in spans {
            span.start_ns = span.start_ns.next_multiple_of(1_000);
        }
    };
    assert_eq!(
        found(round, "nanoseconds").await,
        ["span.start: rounded to microseconds"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_span() {
    let drop_one = |spans: &mut Vec<Span>| spans.retain(|span| span.name != "call");
    assert_eq!(found(drop_one, "parent-and-child").await, ["span: missing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn exchanged_ids() {
    let swap = |spans: &mut Vec<Span>| {
        let at = |name: &str| spans.iter().position(|span| span.name == name);
        if let (Some(one), Some(other)) = (at("first"), at("second")) {
            let id = spans[one].span_id;
            spans[one].span_id = spans[other].span_id;
            spans[other].span_id = id;
        }
    };
    assert_eq!(
        found(swap, "link-within-the-trace").await,
        ["span.id: swapped"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_status() {
    let empty = |spans: &mut Vec<Span>| {
        spans
            .iter_mut()
            .for_each(|span| span.status = Status::default())
    };
    assert_eq!(
        found(empty, "status-error-message").await,
        ["span.status-message: missing", "span.status: missing"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_that_were_moved_to_the_span() {
    let flatten = |spans: &mut Vec<Span>| {
        for span in spans {
            let mut resource = (*span.resource).clone();
            for (key, value) in std::mem::take(&mut resource.attributes.0) {
                match key.as_str() {
                    "service.name" => resource.attributes.0.push((key, value)),
                    _ => span.attributes.0.push((key, value)),
                }
            }
            span.resource = Arc::new(resource);
        }
    };
    assert_eq!(
        found(flatten, "resource-attributes").await,
        [
            "resource.attribute[string]: moved to the span",
            "resource.attribute[int]: moved to the span",
            "resource.attribute[array]: moved to the span"
        ]
        .into_iter()
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_span() {
    let copy = |spans: &mut Vec<Span>| {
        if let Some(first) = spans.first().cloned() {
            spans.push(first);
        }
    };
    assert_eq!(found(copy, "one-span").await, ["span: duplicated"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_text_and_a_lost_tracestate() {
    let cut = |spans: &mut Vec<Span>| {
        for span in spans {
            span.trace_state = Default::default();
            for (_, value) in &mut span.attributes.0 {
                if let Value::String(text) = value {
                    let cut: String = text.chars().take(2_048).collect();
                    *value = Value::from(cut);
                }
            }
        }
    };
    assert_eq!(
        found(cut, "string-of-4-kib").await,
        ["span.attribute[string]: truncated"]
    );
    assert_eq!(found(cut, "tracestate").await, ["span.tracestate: missing"]);
}
