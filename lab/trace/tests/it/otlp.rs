//! OTLP in and out: ids that are none, nesting without end, and the way there and back.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, trace::v1 as proto,
};
use proptest::{collection::vec, prelude::*};
use prost::Message as _;
use trace::{Span, otlp};

use testing::spans::{any_span, healthy};

#[test]
fn endless_nesting_is_refused_or_passed_over_without_recursion() {
    let unknown = format!("{}{}", "{\"a\":[".repeat(100_000), "]}".repeat(100_000));
    assert_eq!(otlp::from_json(unknown.as_bytes()).unwrap().spans, []);
    let values = |levels: usize| {
        let open = "{\"arrayValue\":{\"values\":[".repeat(levels);
        let attribute = format!("{{\"key\":\"k\",\"value\":{open}{}}}", "]}}".repeat(levels));
        format!("{{\"resourceSpans\":[{{\"resource\":{{\"attributes\":[{attribute}]}}}}]}}")
    };
    let error = otlp::from_json(values(100_000).as_bytes()).unwrap_err();
    assert!(error.to_string().contains("more than 64 arrays"), "{error}");
    // A value holds an array (field 5), which holds values (field 1).
    let mut bytes = Vec::new();
    let attribute_of_a_resource = [2, 1, 1, 1];
    for field in [1, 5]
        .repeat(5_000)
        .into_iter()
        .chain(attribute_of_a_resource)
    {
        let mut outer = Vec::new();
        prost::encoding::encode_key(
            field,
            prost::encoding::WireType::LengthDelimited,
            &mut outer,
        );
        prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
        outer.extend_from_slice(&bytes);
        bytes = outer;
    }
    let error = otlp::from_protobuf(&bytes).unwrap_err();
    assert!(error.to_string().contains("more than 64 arrays"), "{error}");
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
        let decoded = decoded(vec![good.clone(), bad, good.clone()]);
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
    let decoded = decoded(vec![span]);
    assert_eq!(decoded.spans[0].parent_span_id, None);
    assert_eq!(
        (decoded.spans[0].links.len(), decoded.spans[0].dropped_links),
        (0, 3)
    );
}

/// A value that was cut in the middle of a character, as senders do at a limit of bytes.
#[test]
fn text_that_is_not_utf_8_is_replaced_alone() {
    let spans = healthy();
    let mut bytes = otlp::to_protobuf(&spans);
    let name = b"charge_and_fulfill";
    let at = bytes.windows(name.len()).position(|window| window == name);
    let end = at.unwrap() + name.len();
    bytes[end - 1] = 0xc3;
    let decoded = otlp::from_protobuf(&bytes).unwrap();
    assert_eq!((decoded.replaced, decoded.rejected.len()), (1, 0));
    let whole = otlp::from_protobuf(&otlp::to_protobuf(&spans)).unwrap();
    let mut cut = 0;
    for (span, whole) in decoded.spans.iter().zip(&whole.spans) {
        if whole.name == "charge_and_fulfill" {
            assert_eq!(span.name, "charge_and_fulfil\u{fffd}");
            cut += 1;
        } else {
            assert_eq!(span, whole);
        }
    }
    assert_eq!((decoded.spans.len(), cut), (27, 1));
}

/// `instrumentation_library_spans` had the number 1000 in its last versions.
#[test]
fn spans_below_a_field_of_old_are_counted() {
    use prost::encoding::{WireType, encode_key, encode_varint};
    let field = |number, inner: &[u8]| {
        let mut bytes = Vec::new();
        encode_key(number, WireType::LengthDelimited, &mut bytes);
        encode_varint(inner.len() as u64, &mut bytes);
        bytes.extend_from_slice(inner);
        bytes
    };
    let spans = [field(2, b""), field(2, b"")].concat();
    let old = field(1, &field(1000, &spans));
    let bytes = [otlp::to_protobuf(&healthy()), old].concat();
    let decoded = otlp::from_protobuf(&bytes).unwrap();
    assert_eq!((decoded.spans.len(), decoded.library_spans), (27, 2));
}

fn decoded(spans: Vec<proto::Span>) -> otlp::Decoded {
    let request = ExportTraceServiceRequest {
        resource_spans: vec![proto::ResourceSpans {
            scope_spans: vec![proto::ScopeSpans {
                spans,
                ..Default::default()
            }],
            ..Default::default()
        }],
    };
    otlp::from_protobuf(&request.encode_to_vec()).unwrap()
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
        let decoded = otlp::from_json(document.as_bytes()).unwrap();
        prop_assert_eq!(decoded.rejected, []);
        prop_assert_eq!(told(&decoded.spans), told(&spans));
        prop_assert_eq!(otlp::to_json(&decoded.spans), document);
    }

    #[test]
    fn garbage_is_answered(bytes in vec(any::<u8>(), 0..200)) {
        let _ = otlp::from_protobuf(&bytes);
        let _ = otlp::from_json(&bytes);
    }

    /// A valid request, cut and with bytes changed: each of its spans is there, rejected, or all are refused.
    #[test]
    fn a_mutated_request_is_answered(
        spans in vec(any_span(), 1..4),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        keep in any::<prop::sample::Index>(),
    ) {
        for mut bytes in [otlp::to_protobuf(&spans), otlp::to_json(&spans).into_bytes()] {
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
