//! OTLP in and out.

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{AnyValue, KeyValue, any_value::Value as ProtoValue},
    metrics::v1 as metrics,
    trace::v1 as proto,
};
use proptest::{collection::vec, prelude::*};
use prost::Message as _;
use serde_json::json;
use trace::{Attributes, Kind, Span, StatusCode, Value, otlp};

use crate::make::{any_span, healthy};

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

#[test]
fn endless_nesting_is_refused() {
    let deep = format!("{}{}", "{\"a\":[".repeat(100_000), "]}".repeat(100_000));
    assert!(
        otlp::from_json(deep.as_bytes())
            .unwrap_err()
            .to_string()
            .contains("recursion")
    );
    let mut bytes = Vec::new();
    // A value holds an array (field 5), which holds values (field 1).
    for field in [1, 5].repeat(500) {
        let mut outer = prost::bytes::BytesMut::new();
        prost::encoding::encode_key(
            field,
            prost::encoding::WireType::LengthDelimited,
            &mut outer,
        );
        prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
        outer.extend_from_slice(&bytes);
        bytes = outer.to_vec();
    }
    assert!(
        AnyValue::decode(bytes.as_slice()).is_err(),
        "the decoder has a limit of its own"
    );
}

#[test]
fn a_span_with_a_bad_id_is_rejected_alone() {
    let good = otlp::to_request(&healthy()).resource_spans[0].scope_spans[0].spans[0].clone();
    let bad = [
        (
            proto::Span {
                trace_id: vec![0; 16],
                ..good.clone()
            },
            "traceId: all zero",
        ),
        (
            proto::Span {
                trace_id: vec![1; 8],
                ..good.clone()
            },
            "traceId: 8 bytes where 16 are needed",
        ),
        (
            proto::Span {
                span_id: Vec::new(),
                ..good.clone()
            },
            "spanId: 0 bytes where 8 are needed",
        ),
        (
            proto::Span {
                parent_span_id: vec![1; 3],
                ..good.clone()
            },
            "parentSpanId: 3 bytes",
        ),
        (
            proto::Span {
                links: vec![proto::span::Link {
                    trace_id: vec![1; 16],
                    ..proto::span::Link::default()
                }],
                ..good.clone()
            },
            "links[0].spanId: 0 bytes",
        ),
    ];
    for (bad, reason) in bad {
        let decoded = otlp::from_request(request(vec![good.clone(), bad, good.clone()]));
        assert_eq!(decoded.spans.len(), 2, "the others are taken");
        let [rejected] = &decoded.rejected[..] else {
            panic!("one is rejected: {:?}", decoded.rejected)
        };
        let text = rejected.to_string();
        assert!(
            text.starts_with("resourceSpans[0].scopeSpans[0].spans[1]."),
            "{text}"
        );
        assert!(text.contains(reason), "{text} has no {reason}");
    }
}

#[test]
fn zeros_stand_for_no_parent_and_for_no_link() {
    let span = proto::Span {
        trace_id: vec![1; 16],
        span_id: vec![1; 8],
        parent_span_id: vec![0; 8],
        links: vec![proto::span::Link::default()],
        dropped_links_count: 2,
        ..proto::Span::default()
    };
    let decoded = otlp::from_request(request(vec![span]));
    assert_eq!(decoded.spans[0].parent_span_id, None);
    assert_eq!(
        (decoded.spans[0].links.len(), decoded.spans[0].dropped_links),
        (0, 3)
    );
}

#[test]
fn a_file_holds_one_document_or_one_a_line() {
    let document = otlp::to_json(&healthy());
    assert_eq!(otlp::read(&document.to_string()).unwrap().len(), 27);
    assert_eq!(otlp::read(&format!("{document:#}\n")).unwrap().len(), 27);
    assert_eq!(
        otlp::read(&format!("{document}\n{document}\n"))
            .unwrap()
            .len(),
        54
    );
}

#[test]
fn a_file_that_is_none_is_refused_in_words() {
    let refused = |text: &str| otlp::read(text).expect_err(text).to_string();
    assert!(refused("").contains("the file is empty"));
    assert!(
        refused("{\n  nonsense").contains("line 2 column 3"),
        "{}",
        refused("{\n  nonsense")
    );
    assert!(refused("{\"resource_spans\": []}").contains("lowerCamelCase"));
    assert!(refused("{\"data\": []}").contains("backend's own API"));
    assert!(
        refused("{\"resourceSpans\": 1}")
            .contains("document 1: no OTLP/JSON: resourceSpans: an array is needed")
    );
    let bad = String::from_utf8(document(json!({ "spanId": "00" }))).unwrap();
    let good = otlp::to_json(&healthy());
    assert!(
        refused(&format!("{good}\n{bad}"))
            .contains("document 2: resourceSpans[0].scopeSpans[0].spans[0].spanId: 1 byte")
    );
}

#[test]
fn logs_and_metrics_in_json_say_what_the_generated_code_says() {
    let logs: ExportLogsServiceRequest = serde_json::from_str(include_str!("logs.json")).unwrap();
    assert_eq!(
        otlp::logs_from_json(include_bytes!("logs.json")).unwrap(),
        logs
    );
    let expected: ExportMetricsServiceRequest =
        serde_json::from_str(include_str!("metrics.json")).unwrap();
    assert_eq!(
        otlp::metrics_from_json(include_bytes!("metrics.json")).unwrap(),
        expected
    );
}

/// Every field of a metric's points, written by the generated code and read by the tables.
#[test]
fn every_field_of_a_data_point_has_its_number() {
    let attributes = vec![KeyValue {
        key: "k".to_owned(),
        value: Some(AnyValue {
            value: Some(ProtoValue::IntValue(-7)),
        }),
        key_strindex: 0,
    }];
    let exemplars = vec![metrics::Exemplar {
        filtered_attributes: attributes.clone(),
        time_unix_nano: 3,
        span_id: vec![4; 8],
        trace_id: vec![5; 16],
        value: Some(metrics::exemplar::Value::AsDouble(0.5)),
    }];
    let number = metrics::NumberDataPoint {
        attributes: attributes.clone(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        exemplars: exemplars.clone(),
        flags: 1,
        value: Some(metrics::number_data_point::Value::AsInt(-6)),
    };
    let histogram = metrics::HistogramDataPoint {
        attributes: attributes.clone(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: Some(4.5),
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![0.25],
        exemplars: exemplars.clone(),
        flags: 1,
        min: Some(-1.0),
        max: Some(9.0),
    };
    let buckets = |offset| metrics::exponential_histogram_data_point::Buckets {
        offset,
        bucket_counts: vec![7, 8],
    };
    let exponential = metrics::ExponentialHistogramDataPoint {
        attributes: attributes.clone(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: Some(4.5),
        scale: -3,
        zero_count: 6,
        positive: Some(buckets(5)),
        negative: Some(buckets(-5)),
        flags: 1,
        exemplars,
        min: Some(-1.0),
        max: Some(9.0),
        zero_threshold: 0.125,
    };
    let summary = metrics::SummaryDataPoint {
        attributes,
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: 4.5,
        quantile_values: vec![metrics::summary_data_point::ValueAtQuantile {
            quantile: 0.5,
            value: 2.0,
        }],
        flags: 1,
    };
    use metrics::metric::Data;
    let data = [
        Data::Gauge(metrics::Gauge {
            data_points: vec![number.clone()],
        }),
        Data::Sum(metrics::Sum {
            data_points: vec![number],
            aggregation_temporality: 2,
            is_monotonic: true,
        }),
        Data::Histogram(metrics::Histogram {
            data_points: vec![histogram],
            aggregation_temporality: 1,
        }),
        Data::ExponentialHistogram(metrics::ExponentialHistogram {
            data_points: vec![exponential],
            aggregation_temporality: 2,
        }),
        Data::Summary(metrics::Summary {
            data_points: vec![summary],
        }),
    ];
    let metrics = data.map(|data| metrics::Metric {
        name: "m".to_owned(),
        data: Some(data),
        ..metrics::Metric::default()
    });
    let sent = ExportMetricsServiceRequest {
        resource_metrics: vec![metrics::ResourceMetrics {
            scope_metrics: vec![metrics::ScopeMetrics {
                metrics: metrics.to_vec(),
                ..Default::default()
            }],
            ..Default::default()
        }],
    };
    let json = serde_json::to_vec(&sent).unwrap();
    assert_eq!(otlp::metrics_from_json(&json).unwrap(), sent);
}

fn request(spans: Vec<proto::Span>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![proto::ResourceSpans {
            scope_spans: vec![proto::ScopeSpans {
                spans,
                ..Default::default()
            }],
            ..Default::default()
        }],
    }
}

/// Spans in an order that does not depend on how they were grouped, as text: a `NaN` equals one.
fn told(spans: &[Span]) -> Vec<String> {
    let mut told: Vec<String> = spans.iter().map(|span| format!("{span:?}")).collect();
    told.sort();
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn spans_survive_protobuf(spans in vec(any_span(), 0..8)) {
        let decoded = otlp::from_protobuf(&otlp::to_protobuf(&spans)).unwrap();
        prop_assert_eq!(decoded.rejected, []);
        prop_assert_eq!(told(&decoded.spans), told(&spans));
    }

    #[test]
    fn spans_survive_json(spans in vec(any_span(), 0..8)) {
        let document = otlp::to_json(&spans);
        let decoded = otlp::from_json(document.to_string().as_bytes()).unwrap();
        prop_assert_eq!(decoded.rejected, []);
        prop_assert_eq!(told(&decoded.spans), told(&spans));
        prop_assert_eq!(otlp::to_json(&decoded.spans), document);
    }

    #[test]
    fn garbage_is_answered(bytes in vec(any::<u8>(), 0..200)) {
        let _ = otlp::from_protobuf(&bytes);
        let _ = otlp::from_json(&bytes);
        let _ = otlp::read(&String::from_utf8_lossy(&bytes));
    }

    /// A valid request, cut and with bytes changed: each of its spans is there, rejected, or all are refused.
    #[test]
    fn a_mutated_request_is_answered(
        spans in vec(any_span(), 1..4),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        keep in any::<prop::sample::Index>(),
    ) {
        for mut bytes in [otlp::to_protobuf(&spans), otlp::to_json(&spans).to_string().into_bytes()] {
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            bytes.truncate(keep.index(bytes.len() + 1));
            let _ = otlp::from_protobuf(&bytes);
            let _ = otlp::from_json(&bytes);
        }
    }
}
