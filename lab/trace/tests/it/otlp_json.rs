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
    assert_eq!(one(json!({ "kind": 77 })).kind, Kind::Unspecified);
    assert_eq!(one(json!({ "kind": -1 })).kind, Kind::Unspecified);
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
        Value::Map(Attributes(vec![("a".to_owned(), Value::Empty)]))
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
        refusal(json!({ "droppedEventsCount": -1 }))
            .contains("an unsigned 32-bit integer is needed, not -1")
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
