//! OTLP/JSON: what the specification allows is read, and the rest is refused with its place.

use serde_json::json;
use trace::{Attributes, Kind, Span, StatusCode, Value, otlp};

/// One span with these fields more, as OTLP/JSON.
fn document(fields: serde_json::Value) -> Vec<u8> {
    let mut span = json!({
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7", "name": "n",
        "startTimeUnixNano": "1", "endTimeUnixNano": "2",
    });
    span.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span] }] }] })
        .to_string()
        .into_bytes()
}

fn one(fields: serde_json::Value) -> Span {
    let decoded = otlp::from_json(&document(fields)).unwrap();
    assert_eq!(decoded.rejected, [], "the span is good");
    decoded.spans.into_iter().next().unwrap()
}

fn attribute(value: serde_json::Value) -> Value {
    one(json!({ "attributes": [{ "key": "k", "value": value }] }))
        .attributes
        .get("k")
        .unwrap()
        .clone()
}

fn refusal(fields: serde_json::Value) -> String {
    otlp::from_json(&document(fields))
        .expect_err("this is no OTLP/JSON")
        .to_string()
}

#[test]
fn the_example_of_the_specification_is_read() {
    let decoded = otlp::from_json(include_bytes!("specification.json")).unwrap();
    assert_eq!(decoded.rejected, []);
    let span = &decoded.spans[0];
    assert_eq!(span.service(), "my.service");
    assert_eq!(
        span.trace_id.to_string(),
        "5b8efff798038103d269b633813fc60c"
    );
    assert_eq!(span.parent_span_id.unwrap().to_string(), "eee19b7ec3c1b173");
    assert_eq!(
        (span.name.as_str(), span.kind),
        ("I'm a server span", Kind::Server)
    );
    assert_eq!(span.start_ns, 1_544_712_660_000_000_000);
    assert_eq!(
        span.attributes.get("my.span.attr"),
        Some(&Value::from("some value"))
    );
}

#[test]
fn integers_may_be_strings_or_numbers() {
    assert_eq!(
        attribute(json!({ "intValue": "-9223372036854775808" })),
        Value::Int(i64::MIN)
    );
    assert_eq!(
        attribute(json!({ "intValue": 9_223_372_036_854_775_807_i64 })),
        Value::Int(i64::MAX)
    );
    assert_eq!(attribute(json!({ "intValue": 5.0 })), Value::Int(5));
    assert_eq!(
        one(json!({ "startTimeUnixNano": 18_446_744_073_709_551_615_u64 })).start_ns,
        u64::MAX
    );
    assert_eq!(
        one(json!({ "startTimeUnixNano": "18446744073709551615" })).start_ns,
        u64::MAX
    );
}

#[test]
fn doubles_may_be_whole_and_need_not_be_finite() {
    assert_eq!(attribute(json!({ "doubleValue": 3 })), Value::Double(3.0));
    assert_eq!(
        attribute(json!({ "doubleValue": "-Infinity" })),
        Value::Double(f64::NEG_INFINITY)
    );
    assert_eq!(
        attribute(json!({ "doubleValue": "Infinity" })),
        Value::Double(f64::INFINITY)
    );
    let Value::Double(nan) = attribute(json!({ "doubleValue": "NaN" })) else {
        panic!("no double")
    };
    assert!(nan.is_nan());
    let Value::Double(zero) = attribute(json!({ "doubleValue": -0.0 })) else {
        panic!("no double")
    };
    assert!(zero.is_sign_negative());
}

#[test]
fn enums_may_be_numbers_or_names() {
    assert_eq!(one(json!({ "kind": 5 })).kind, Kind::Consumer);
    assert_eq!(
        one(json!({ "kind": "SPAN_KIND_PRODUCER" })).kind,
        Kind::Producer
    );
    assert_eq!(one(json!({ "kind": 77 })).kind, Kind::Unknown(77));
    assert_eq!(one(json!({ "kind": -1 })).kind, Kind::Unknown(-1));
    assert_eq!(
        one(json!({ "status": { "code": "STATUS_CODE_ERROR" } }))
            .status
            .code,
        StatusCode::Error
    );
    assert_eq!(
        one(json!({ "status": { "code": 1 } })).status.code,
        StatusCode::Ok
    );
    assert_eq!(one(json!({ "status": {} })).status.code, StatusCode::Unset);
}

#[test]
fn bytes_are_base64_of_any_sort() {
    for text in ["+/8=", "+/8", "-_8=", "-_8"] {
        assert_eq!(
            attribute(json!({ "bytesValue": text })),
            Value::Bytes(vec![0xfb, 0xff]),
            "{text}"
        );
    }
}

#[test]
fn values_may_be_empty_or_missing_and_unknown_fields_are_ignored() {
    assert_eq!(attribute(json!({})), Value::Empty);
    assert_eq!(attribute(json!(null)), Value::Empty);
    assert_eq!(
        attribute(json!({ "futureValue": [1, { "a": null }] })),
        Value::Empty
    );
    assert_eq!(
        attribute(json!({ "futureValue": 1, "stringValue": "" })),
        Value::from("")
    );
    assert_eq!(
        attribute(json!({ "arrayValue": {} })),
        Value::Array(Vec::new())
    );
    assert_eq!(
        attribute(json!({ "kvlistValue": { "values": [{ "key": "a" }] } })),
        Value::Map(Attributes(vec![("a".into(), Value::Empty)]))
    );
    assert_eq!(
        one(json!({ "future": { "deep": [] }, "events": null })).events,
        []
    );
    assert_eq!(otlp::from_json(b"{}").unwrap().spans, []);
}

#[test]
fn what_is_no_otlp_json_is_refused_with_its_place() {
    let span = "resourceSpans[0].scopeSpans[0].spans[0]";
    assert_eq!(
        refusal(json!({ "kind": "SERVER" })),
        format!(
            "no OTLP/JSON: {span}.kind: a number, or a name such as SPAN_KIND_INTERNAL, is needed, not \"SERVER\""
        )
    );
    assert_eq!(
        refusal(json!({ "traceId": "xyz" })),
        format!("no OTLP/JSON: {span}.traceId: hexadecimal digits is needed, not \"xyz\"").replace(
            "digits is needed",
            "digits (an even number of them) is needed"
        )
    );
    assert!(
        refusal(json!({ "attributes": [{ "key": "k", "value": "v" }] })).contains(&format!(
            "{span}.attributes[0].value: an object is needed, not \"v\""
        ))
    );
    assert!(
        refusal(json!({ "droppedEventsCount": 4_294_967_296_u64 }))
            .contains("an unsigned 32-bit integer is needed, not 4294967296")
    );
    assert!(
        refusal(json!({ "flags": -1 })).contains("an unsigned 32-bit integer is needed, not -1")
    );
    assert!(
        refusal(json!({ "startTimeUnixNano": "18446744073709551616" }))
            .contains("startTimeUnixNano")
    );
    assert!(
        otlp::from_json(b"[]")
            .unwrap_err()
            .to_string()
            .contains("the document: an object is needed, not an array")
    );
    assert!(
        otlp::from_json(b"{\"resourceSpans\": [")
            .unwrap_err()
            .to_string()
            .contains("line 1 column")
    );
}

#[test]
fn a_negative_count_of_dropped_items_is_none() {
    let span = one(json!({ "droppedAttributesCount": -1, "droppedLinksCount": "-3" }));
    assert_eq!((span.dropped_attributes, span.dropped_links), (0, 0));
}

/// As `MessageToJson` of protobuf writes, and Tempo answers.
#[test]
fn ids_may_be_base64_and_names_those_of_protobuf() {
    for (trace_id, span_id) in [
        ("W47/95gDgQPSabYzgT/GDA==", "7uGbfsPBAAE="),
        ("W47_95gDgQPSabYzgT_GDA", "7uGbfsPBAAE"),
    ] {
        let span = one(json!({
            "traceId": trace_id, "spanId": span_id, "parent_span_id": "7uGbfsPBAAI=",
            "start_time_unix_nano": "5", "dropped_events_count": 2,
        }));
        let ids = (span.trace_id.to_string(), span.span_id.to_string());
        let (trace_id, span_id) = &ids;
        assert_eq!(trace_id, "5b8efff798038103d269b633813fc60c");
        assert_eq!(span_id, "eee19b7ec3c10001");
        let parent = span.parent_span_id.map(|id| id.to_string());
        assert_eq!(parent.as_deref(), Some("eee19b7ec3c10002"));
        assert_eq!((span.start_ns, span.dropped_events), (5, 2));
    }
    // A cut id in hexadecimal digits is not read as base64, whatever its length.
    for (id, bytes) in [
        ("4bf92f3577b34da6a3ce929d", 12),
        ("4bf92f3577b34da6a3ce92", 11),
    ] {
        let decoded = otlp::from_json(&document(json!({ "traceId": id }))).unwrap();
        let problem = decoded.rejected[0].to_string();
        assert!(
            problem.contains(&format!("{bytes} bytes where 16")),
            "{problem}"
        );
    }
}

/// A value in this number of maps, and in as many arrays between them.
fn nested(levels: usize) -> serde_json::Value {
    (0..levels).fold(json!({ "intValue": "7" }), |value, level| match level % 2 {
        0 => json!({ "kvlistValue": { "values": [{ "key": "k", "value": value }] } }),
        _ => json!({ "arrayValue": { "values": [value] } }),
    })
}

#[test]
fn a_value_may_have_64_levels_in_json_and_protobuf() {
    let levels_of = |span: &Span| {
        let mut value = span.attributes.get("k").unwrap();
        let mut levels = 0;
        loop {
            value = match value {
                Value::Map(map) => map.get("k").unwrap(),
                Value::Array(values) => &values[0],
                value => return (levels, value.clone()),
            };
            levels += 1;
        }
    };
    for levels in [24, 25, 40, 48, 49, 64] {
        let span = one(json!({ "attributes": [{ "key": "k", "value": nested(levels) }] }));
        assert_eq!(levels_of(&span), (levels, Value::Int(7)));
        let spans = vec![span];
        let decoded = otlp::from_protobuf(&otlp::to_protobuf(&spans)).unwrap();
        assert_eq!(decoded.spans, spans);
        let again = otlp::from_json(otlp::to_json(&spans).as_bytes()).unwrap();
        assert_eq!(again.spans, spans);
    }
    let deep = json!({ "attributes": [{ "key": "k", "value": nested(65) }] });
    let words = "a value of an attribute is inside more than 64 arrays and maps";
    assert!(refusal(deep).contains(words));
}

#[test]
fn a_lone_surrogate_becomes_one_character_of_its_text() {
    let text = String::from_utf8(document(json!({ "attributes": [
        { "key": "cut", "value": { "stringValue": "smile CUT" } },
        { "key": "whole", "value": { "stringValue": "smile" } },
    ] })))
    .unwrap();
    let decoded = otlp::from_json(text.replace("CUT", "\\ud83d").as_bytes()).unwrap();
    let cut = decoded.spans[0].attributes.get("cut").unwrap();
    assert_eq!(cut, &Value::from("smile \u{fffd}"));
    assert_eq!((decoded.replaced, decoded.rejected.len()), (1, 0));
}

#[test]
fn spans_below_a_field_of_old_are_counted() {
    for old in [
        "instrumentationLibrarySpans",
        "instrumentation_library_spans",
    ] {
        let text =
            json!({ "resourceSpans": [{ old: [{ "spans": [{}, {}] }, { "spans": [{}] }] }] });
        let decoded = otlp::from_json(text.to_string().as_bytes()).unwrap();
        assert_eq!((decoded.spans.len(), decoded.library_spans), (0, 3));
    }
}
