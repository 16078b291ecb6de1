//! Round trips of a context: the sent headers equal the received ones, and are never invalid.

use opentelemetry::{Context, propagation::TextMapPropagator};
use proptest::prelude::*;
use telemetry::propagation::StrictTraceContextPropagator;

use super::{VALID, passed_on};
use crate::carrier::Headers;

#[test]
fn nothing_is_sent_where_there_is_no_span() {
    let mut headers = Headers::default();
    StrictTraceContextPropagator::default().inject_context(&Context::new(), &mut headers);
    assert_eq!(headers, Headers::default());
}

#[test]
fn an_empty_tracestate_is_not_sent() {
    assert_eq!(passed_on(&[("traceparent", VALID)]).get("tracestate"), None);
}

proptest! {
    #[test]
    fn any_valid_context_goes_through_unchanged(
        trace in "[0-9a-f]{31}[1-9a-f]",
        parent in "[0-9a-f]{15}[1-9a-f]",
        flags in 0_u8..4,
        members in proptest::collection::vec(
            ("[a-z0-9][a-z0-9_*/@-]{0,40}", "[ -+.-<>-~]{0,30}[!-+.-<>-~]"),
            0..=32,
        ),
    ) {
        let traceparent = format!("00-{trace}-{parent}-{flags:02x}");
        let members: Vec<_> = members.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let tracestate = members.join(",");
        let sent = passed_on(&[("traceparent", &traceparent), ("tracestate", &tracestate)]);
        prop_assert_eq!(sent.get("traceparent"), Some(traceparent.as_str()));
        prop_assert_eq!(sent.get("tracestate").unwrap_or_default(), tracestate);
    }

    #[test]
    fn no_header_makes_it_panic_or_pass_on_something_invalid(
        traceparents in proptest::collection::vec(near("00-0a-1b-01"), 0..3),
        tracestates in proptest::collection::vec(near("foo=1,b@c=2"), 0..4),
    ) {
        let headers: Vec<_> = traceparents.iter().map(|value| ("traceparent", value.as_str()))
            .chain(tracestates.iter().map(|value| ("tracestate", value.as_str())))
            .collect();
        let sent = passed_on(&headers);
        let again: Vec<_> = sent.iter().collect();
        prop_assert_eq!(passed_on(&again), sent, "what is sent must be taken as it is");
    }
}

/// Arbitrary text, valid headers, and valid headers with one part replaced.
fn near(sample: &'static str) -> impl Strategy<Value = String> {
    let valid = if sample.starts_with("00") {
        VALID
    } else {
        sample
    };
    prop_oneof![
        ".*",
        Just(valid.to_owned()),
        (0..valid.len(), ".{0,3}").prop_map(move |(at, piece)| {
            format!("{}{piece}{}", &valid[..at], &valid[at + 1..])
        }),
    ]
}
