//! A trace always matches the expectation that was derived from it.

#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "a panic is how a test fails; the shop is for other tests too"
)]

mod shop;

use expect::{Verdict, check, derive};
use proptest::prelude::*;
use testing::spans::{bare, link_to, resource};
use trace::{Attributes, Event, Kind, Span, SpanId, Status, StatusCode, Trace, TraceId, Value};

fn scenario(expect: &str) -> String {
    format!(
        "name: derived\ntitle: Derived\ntarget: http://127.0.0.1:1\n\
         journey: {{ requests: [{{ path: / }}] }}\nload: {{ requests: 1, users: 1 }}\n{expect}"
    )
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("GET".to_owned()),
        Just("SELECT products".to_owned()),
        Just("process shop:order.placed:email".to_owned()),
        Just("~SELECT .*".to_owned()),
        Just("true".to_owned()),
        Just("12".to_owned()),
        Just("1..2".to_owned()),
        Just(String::new()),
        "[ -~]{0,12}",
        "\\PC{0,6}",
        "(?s).{0,4}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::from),
        any::<i64>().prop_map(Value::Int),
        any::<bool>().prop_map(Value::Bool),
        any::<f64>().prop_map(Value::Double),
        Just(Value::Empty),
        any::<Vec<u8>>().prop_map(Value::Bytes),
    ]
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let key = prop_oneof![
        Just("http.route".to_owned()),
        Just("http.response.status_code".to_owned()),
        Just("error.type".to_owned()),
        Just("order.id".to_owned()),
        Just("lab.request".to_owned()),
        "[a-z.$~ :]{1,8}",
    ];
    prop::collection::vec((key, value()), 0..4).prop_map(|pairs| pairs.into_iter().collect())
}

prop_compose! {
    /// A span of a small trace: its parent is any span, itself included, or one that is absent.
    fn span()(
        id in 1u8..14, parent in prop::option::of(1u8..16), name in text(), service in 0..3usize,
        kind in 0..6usize, status in 0..3usize, start in 0u64..1000, length in 0u64..1000,
        attributes in attributes(), event in prop::option::of((text(), attributes())),
        link in prop::option::of((any::<bool>(), 1u8..16)),
    ) -> Span {
        let kinds = [Kind::Unspecified, Kind::Internal, Kind::Server, Kind::Client, Kind::Producer,
            Kind::Consumer];
        let service = ["shop", "a b: c", "~x"][service];
        let events = event.map(|(name, attributes)| Event {
            attributes,
            ..testing::spans::event(start, &name, [])
        });
        let links = link.map(|(own, id)| link_to(trace_id(if own { 1 } else { 2 }), span_id(id)));
        Span {
            start_ns: start,
            end_ns: start + length,
            attributes,
            events: events.into_iter().collect(),
            links: links.into_iter().collect(),
            status: Status {
                code: [StatusCode::Unset, StatusCode::Ok, StatusCode::Error][status],
                message: String::new().into(),
            },
            resource: resource([("service.name", service)]),
            ..bare(trace_id(1), span_id(id), parent.map(span_id), &name, kinds[kind])
        }
    }
}

fn trace_id(number: u8) -> TraceId {
    let mut bytes = [0; 16];
    bytes[15] = number;
    TraceId::from_bytes(bytes).unwrap()
}

fn span_id(number: u8) -> SpanId {
    let mut bytes = [0; 8];
    bytes[7] = number;
    SpanId::from_bytes(bytes).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_trace_matches_the_expectation_derived_from_it(spans in prop::collection::vec(span(), 1..12)) {
        let trace = Trace::new(trace_id(1), spans);
        let text = scenario(&derive(&trace));
        let scenario = match scenario::parse("derived.yaml", &text) {
            Ok(scenario) => scenario,
            Err(error) => return Err(TestCaseError::fail(format!("{error}\n{text}"))),
        };
        let report = check(&scenario.expect, &trace, &[]);
        prop_assert_eq!(report.verdict, Verdict::Pass, "{}\n{}", report.text("derived", "", false), text);
    }
}

#[test]
fn the_expectation_of_the_healthy_trace_is_a_scenario_that_reads_well() {
    let trace = shop::Shop::healthy().trace();
    let text = derive(&trace);
    assert!(
        text.contains("- span: { service: checkout, name: POST /checkout, kind: server }"),
        "{text}"
    );
    assert!(text.contains("http.response.status_code: 201"), "{text}");
    assert!(text.contains("links: [{ to: $linked-1 }]"), "{text}");
    assert!(!text.contains("lab."), "{text}");
}
