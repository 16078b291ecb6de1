//! The store: bounded, exact, and readable while it is written.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value},
    trace::v1::Span,
};
use prost::Message as _;
use sink::{Config, Query, Spans, Store, Taken};

use crate::{request, request_of, span, trace_id};

fn take(store: &Store, request: ExportTraceServiceRequest) -> Taken {
    store.take(&request.encode_to_vec()).unwrap()
}

fn spans(store: &Store) -> Spans {
    let spans = store.stats().spans;
    assert_eq!(
        spans.received,
        spans.stored + spans.evicted + spans.refused,
        "{spans:?}"
    );
    spans
}

/// A span whose name takes this many bytes.
pub(crate) fn heavy(trace: u8, bytes: usize) -> Span {
    Span {
        name: "n".repeat(bytes),
        ..span(trace, 1)
    }
}

fn store(max_bytes: usize) -> Store {
    Store::new(Config {
        max_bytes,
        ..Config::default()
    })
}

#[test]
fn whole_traces_go_oldest_first() {
    let store = store(100_000);
    for trace in 1..=4 {
        take(
            &store,
            request_of(vec![heavy(trace, 15_000), span(trace, 2)]),
        );
    }
    // The first trace is still the oldest, though its latest span is not.
    take(&store, request([1]));
    take(&store, request_of(vec![heavy(5, 55_000)]));
    assert_eq!(store.trace_ids(), [trace_id(5), trace_id(4), trace_id(3)]);
    assert_eq!(
        spans(&store),
        Spans {
            received: 10,
            stored: 5,
            evicted: 5,
            refused: 0
        }
    );
    let stats = store.stats();
    assert_eq!((stats.traces.stored, stats.traces.evicted), (3, 2));
    assert!(stats.bytes.stored <= stats.bytes.limit, "{stats:?}");
}

#[test]
fn late_spans_of_an_evicted_trace_are_refused_with_the_reason() {
    let store = store(50_000);
    take(&store, request([1]));
    take(&store, request_of(vec![heavy(2, 49_000)]));
    assert!(store.trace(trace_id(1)).is_none());
    let taken = take(&store, request([1]));
    assert_eq!(taken.refused, 1);
    assert!(
        taken.message().contains("it was evicted to make room"),
        "{}",
        taken.message()
    );
    assert!(
        store.trace(trace_id(1)).is_none(),
        "no fragment of it comes back"
    );
    assert_eq!(spans(&store).refused, 1);
}

#[test]
fn a_reader_forgets_what_it_has_finished_with() {
    let store = store(100_000);
    take(&store, request([1, 2, 3]));
    take(&store, request([2]));
    let bytes = store.stats().bytes.stored;
    assert_eq!(store.forget(trace_id(2)), 2, "the number of its spans");
    assert_eq!(store.forget(trace_id(2)), 0, "it is not here any more");
    assert_eq!(store.forget(trace_id(9)), 0, "it never was");
    assert!(!store.was_evicted(trace_id(2)), "it was read, and not lost");
    assert_eq!(store.trace_ids(), [trace_id(3), trace_id(1)]);
    assert!(store.stats().bytes.stored < bytes);
    let late = take(&store, request([2]));
    assert_eq!(late.refused, 0, "a late span is for its reader to judge");
    assert_eq!(
        spans(&store),
        Spans {
            received: 5,
            stored: 3,
            evicted: 2,
            refused: 0
        }
    );
    // What is left is evicted in its order.
    take(&store, request_of(vec![heavy(5, 98_000)]));
    assert!(store.trace(trace_id(1)).is_none() && store.was_evicted(trace_id(1)));
    spans(&store);
}

#[test]
fn evictions_are_remembered_up_to_a_bound() {
    let store = Store::new(Config {
        remembered_evictions: 2,
        ..Config::default()
    });
    take(&store, request([1, 2, 3]));
    store.forget_all();
    assert_eq!(
        take(&store, request([1, 2, 3])).refused,
        2,
        "the first is forgotten"
    );
    assert_eq!(store.trace_ids(), [trace_id(1)]);
}

#[test]
fn spans_past_what_a_trace_may_take_are_refused_and_the_others_kept() {
    let store = Store::new(Config {
        max_trace_bytes: 50_000,
        ..Config::default()
    });
    assert_eq!(
        take(&store, request_of(vec![heavy(1, 20_000), heavy(1, 20_000)])).refused,
        0
    );
    let taken = take(
        &store,
        request_of(vec![heavy(1, 20_000), heavy(1, 20_000), heavy(2, 20_000)]),
    );
    assert_eq!(taken.refused, 2);
    assert!(
        taken.message().contains("50000 bytes"),
        "{}",
        taken.message()
    );
    assert_eq!(
        spans(&store),
        Spans {
            received: 5,
            stored: 3,
            evicted: 0,
            refused: 2
        }
    );
}

#[test]
fn a_span_too_heavy_for_the_store_is_refused_and_evicts_nothing() {
    let store = store(50_000);
    take(&store, request([1]));
    assert_eq!(take(&store, request_of(vec![heavy(2, 60_000)])).refused, 1);
    assert_eq!(store.trace_ids(), [trace_id(1)]);
}

#[test]
fn what_is_stored_weighs_at_least_what_was_sent_and_forgetting_gives_all_of_it_back() {
    let store = Store::new(Config::default());
    let text = |text: String| {
        Some(AnyValue {
            value: Some(any_value::Value::StringValue(text)),
        })
    };
    let attribute = KeyValue {
        key: "k".repeat(1_000),
        value: text("v".repeat(2_000)),
        key_strindex: 0,
    };
    let mut heavy = heavy(1, 4_000);
    heavy.attributes = vec![attribute; 3];
    let mut sent = request_of(vec![heavy, span(2, 1), span(3, 1)]);
    sent.resource_spans[0].schema_url = "s".repeat(100_000);
    take(&store, sent);
    let weight = store.stats().bytes.stored;
    assert!(weight >= 4_000 + 9_000 + 100_000, "{weight}");
    assert!(
        weight < 200_000,
        "what three traces share is counted once: {weight}"
    );
    store.forget_all();
    assert_eq!(store.stats().bytes.stored, 0);
    assert_eq!(
        spans(&store),
        Spans {
            received: 3,
            stored: 0,
            evicted: 3,
            refused: 0
        }
    );
}

#[test]
fn a_shared_resource_stays_counted_until_the_last_trace_with_it_goes() {
    let store = store(150_000);
    let mut sent = request([1, 2]);
    sent.resource_spans[0].schema_url = "s".repeat(100_000);
    take(&store, sent);
    // Evicting the first frees next to nothing, since the second still holds what they share.
    take(&store, request_of(vec![heavy(3, 60_000)]));
    assert_eq!(store.trace_ids(), [trace_id(3)]);
}

#[test]
fn a_span_that_comes_twice_is_stored_twice() {
    let store = Store::new(Config::default());
    take(&store, request([1]));
    take(&store, request([1]));
    assert_eq!(store.trace(trace_id(1)).unwrap().spans().len(), 2);
}

#[test]
fn a_revision_is_the_same_as_long_as_its_trace() {
    let store = Store::new(Config::default());
    take(&store, request([1]));
    let first = store.revision(trace_id(1)).unwrap();
    take(&store, request([2]));
    assert_eq!(store.revision(trace_id(1)), Some(first));
    take(&store, request([1]));
    assert!(store.revision(trace_id(1)).unwrap() > first);
    assert_eq!(store.revision(trace_id(9)), None);
}

#[tokio::test]
async fn readers_are_told_of_arrivals() {
    let store = Store::new(Config::default());
    let mut changes = store.changes();
    let waiting = tokio::spawn(async move { changes.changed().await });
    take(&store, request([1]));
    waiting.await.unwrap().unwrap();
    let mut changes = store.changes();
    changes.mark_unchanged();
    take(&store, request([0]));
    assert!(
        !changes.has_changed().unwrap(),
        "a refused span is no change"
    );
}

#[test]
fn a_trace_is_found_by_an_attribute_whatever_its_type() {
    let store = Store::new(Config::default());
    let mut with = span(1, 1);
    for (key, value) in [
        ("order.id", any_value::Value::StringValue("o-1".to_owned())),
        ("n", any_value::Value::IntValue(20)),
    ] {
        with.attributes.push(KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            key_strindex: 0,
        });
    }
    take(&store, request_of(vec![with, span(2, 1)]));
    for (key, value, found) in [
        ("order.id", "o-1", 1),
        ("n", "20", 1),
        ("n", "2", 0),
        ("order.id", "o-2", 0),
    ] {
        let query = Query {
            attribute: Some((key.to_owned(), value.to_owned())),
            ..Query::default()
        };
        assert_eq!(store.search(&query).len(), found, "{key}={value}");
    }
}

/// Writers that store, overflow, are refused and forget, while a reader never sees a sum that is
/// wrong.
#[test]
fn the_counts_add_up_at_every_instant() {
    const WRITERS: u8 = 4;
    const ROUNDS: u8 = 150;
    let store = Store::new(Config {
        max_bytes: 60_000,
        max_trace_bytes: 8_000,
        remembered_evictions: 20,
        ..Config::default()
    });
    let done = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (store, done) = (store.clone(), Arc::clone(&done));
        move || {
            let mut reads = 0_u64;
            while !done.load(Ordering::Relaxed) {
                spans(&store);
                let bytes = store.stats().bytes;
                assert!(bytes.stored <= bytes.limit, "{bytes:?}");
                reads += 1;
            }
            reads
        }
    });
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            std::thread::spawn(move || {
                for round in 0..ROUNDS {
                    let trace = round.wrapping_mul(7).wrapping_add(writer);
                    take(
                        &store,
                        request_of(vec![
                            heavy(trace, 3_000),
                            span(trace, 0),
                            heavy(trace, 3_000),
                            heavy(trace, 3_000),
                        ]),
                    );
                    if round % 50 == 49 {
                        store.forget_all();
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    done.store(true, Ordering::Relaxed);
    assert!(reader.join().unwrap() > 0);
    let spans = spans(&store);
    assert_eq!(spans.received, 4 * u64::from(WRITERS) * u64::from(ROUNDS));
    assert!(
        spans.evicted > 0 && spans.refused > 0,
        "all ways were taken: {spans:?}"
    );
}

/// A hundred bytes that would be ten thousand once they are decoded, as a stand-in for more.
#[test]
fn a_trace_is_decoded_only_where_there_is_room_for_it() {
    let store = Store::new(Config {
        max_in_flight_bytes: 20_000,
        ..Config::default()
    });
    let empty = KeyValue {
        key: String::new(),
        value: None,
        key_strindex: 0,
    };
    let wide = Span {
        attributes: vec![empty; 300],
        ..span(1, 1)
    };
    take(&store, request_of(vec![wide]));
    take(&store, request([2]));
    let first = store.trace_within(trace_id(1)).unwrap().unwrap();
    assert_eq!(first.spans()[0].attributes.len(), 300);
    let refused = store.trace_within(trace_id(1)).unwrap_err();
    assert_eq!(refused.id, trace_id(1));
    assert!(
        store.trace_within(trace_id(2)).is_ok(),
        "a small one has room"
    );
    drop(first);
    assert!(
        store.trace_within(trace_id(1)).is_ok(),
        "and its room is free again"
    );
    assert!(store.trace_within(trace_id(3)).unwrap().is_none());
}
