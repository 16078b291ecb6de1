//! What comes as protobuf goes out as it came, whether it is known or not; as JSON, all of it that OTLP knows.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value},
    trace::v1::Span,
};
use prost::{
    Message as _,
    encoding::{WireType, encode_key, encode_varint},
};
use sink::{Config, Store};

use crate::{Sink, http::PROTOBUF, request_of, span, trace_id};

/// Appends a field that OTLP does not have.
fn unknown(bytes: &mut Vec<u8>) {
    encode_key(77, WireType::LengthDelimited, bytes);
    encode_varint(5, bytes);
    bytes.extend_from_slice(b"later");
}

/// A request with one span in one scope, built by hand: unknown fields on each level, and fields in an order of
/// their own.
fn by_hand(span: &[u8]) -> Vec<u8> {
    let field = |number, inner: &[u8]| {
        let mut bytes = Vec::new();
        encode_key(number, WireType::LengthDelimited, &mut bytes);
        encode_varint(inner.len() as u64, &mut bytes);
        bytes.extend_from_slice(inner);
        bytes
    };
    let mut scope = field(3, b"https://example.com/scope");
    unknown(&mut scope);
    scope.extend(field(2, span));
    let mut resource = field(3, b"https://example.com/resource");
    unknown(&mut resource);
    resource.extend(field(2, &scope));
    field(1, &resource)
}

fn protobuf(store: &Store, trace: u8) -> Vec<u8> {
    let stored = store.stored(trace_id(trace)).unwrap();
    stored.to_protobuf().flatten().collect()
}

fn json(store: &Store, trace: u8) -> serde_json::Value {
    let text: Vec<u8> = store
        .stored(trace_id(trace))
        .unwrap()
        .to_json()
        .flatten()
        .collect();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn a_request_goes_out_byte_for_byte() {
    let mut odd = Span {
        kind: 99,
        flags: 0x3ff,
        ..span(1, 1)
    };
    // Twice the same key, in an order that is not that of the alphabet.
    let pair = |key: &str, value| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value }),
        key_strindex: 0,
    };
    odd.attributes = vec![
        pair("z", Some(any_value::Value::IntValue(1))),
        pair("a", None),
        pair("z", Some(any_value::Value::DoubleValue(-0.0))),
    ];
    let mut bytes = odd.encode_to_vec();
    unknown(&mut bytes);
    let request = by_hand(&bytes);
    let store = Store::new(Config::default());
    assert_eq!(store.take(&request).unwrap().refused, 0);
    assert_eq!(protobuf(&store, 1), request);

    let json = json(&store, 1);
    let resource = &json["resourceSpans"][0];
    assert_eq!(resource["schemaUrl"], "https://example.com/resource");
    let scope = &resource["scopeSpans"][0];
    assert_eq!(scope["schemaUrl"], "https://example.com/scope");
    let span = &scope["spans"][0];
    assert_eq!((&span["kind"], &span["flags"]), (&99.into(), &0x3ff.into()));
    let keys: Vec<_> = span["attributes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| &pair["key"])
        .collect();
    assert_eq!(keys, ["z", "a", "z"]);
    assert!(
        !json.to_string().contains("later"),
        "JSON has no place for unknown fields"
    );
}

#[test]
fn a_text_that_is_not_utf_8_is_kept_and_shown_with_a_mark() {
    let mut bytes = span(1, 1).encode_to_vec();
    let at = bytes
        .windows(6)
        .position(|window| window == b"a span")
        .unwrap();
    bytes[at + 5] = 0xc3;
    let request = by_hand(&bytes);
    let store = Store::new(Config::default());
    let taken = store.take(&request).unwrap();
    assert!(taken.message().contains("U+FFFD"), "{}", taken.message());
    assert_eq!(protobuf(&store, 1), request);
    assert_eq!(
        json(&store, 1)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"],
        "a spa\u{fffd}"
    );
}

#[test]
fn spans_of_one_trace_come_out_in_the_order_in_which_they_came() {
    let store = Store::new(Config::default());
    let mut sent = ExportTraceServiceRequest::default();
    for first in [1, 4, 7] {
        let spans = (first..first + 3)
            .flat_map(|id| [span(1, id), span(2, id)])
            .collect();
        let request = request_of(spans);
        store.take(&request.encode_to_vec()).unwrap();
        sent.resource_spans.extend(request.resource_spans);
    }
    for trace in [1, 2] {
        let out = ExportTraceServiceRequest::decode(&*protobuf(&store, trace)).unwrap();
        let spans = |request: &ExportTraceServiceRequest| -> Vec<Span> {
            let scopes = request
                .resource_spans
                .iter()
                .flat_map(|resource| &resource.scope_spans);
            let spans = scopes.flat_map(|scope| scope.spans.clone());
            spans.filter(|span| span.trace_id == [trace; 16]).collect()
        };
        assert_eq!(spans(&out), spans(&sent));
        let resource =
            |request: &ExportTraceServiceRequest| request.resource_spans[0].resource.clone();
        assert_eq!(resource(&out), resource(&sent));
        let document = json(&store, trace);
        let groups = document["resourceSpans"].as_array().unwrap();
        assert_eq!(groups.len(), 1, "spans of one resource stand together");
        assert_eq!(
            groups[0]["scopeSpans"][0]["spans"]
                .as_array()
                .unwrap()
                .len(),
            9
        );
    }
}

/// Spans in a row are copied at once, but only those that stand one behind the other.
#[test]
fn what_stands_between_the_spans_of_a_trace_goes_out_with_its_own() {
    let unusable = Span {
        span_id: Vec::new(),
        ..span(1, 9)
    };
    let others = [span(1, 1), span(1, 2), unusable, span(1, 3), span(2, 4)];
    let more = [span(2, 5), span(1, 6), span(1, 7)];
    // The second scope is as the first, and its spans are of the trace of the last one.
    let mut request = request_of(others.to_vec());
    let mut second = request.resource_spans[0].scope_spans[0].clone();
    second.spans = more.to_vec();
    request.resource_spans[0].scope_spans.push(second);
    let store = Store::new(Config::default());
    assert_eq!(store.take(&request.encode_to_vec()).unwrap().refused, 1);
    for (trace, ids) in [(1, &[1, 2, 3, 6, 7][..]), (2, &[4, 5][..])] {
        let out = ExportTraceServiceRequest::decode(&*protobuf(&store, trace)).unwrap();
        let scopes = out.resource_spans.iter().flat_map(|of| &of.scope_spans);
        let spans: Vec<_> = scopes.flat_map(|scope| scope.spans.clone()).collect();
        let sent: Vec<_> = ids.iter().map(|id| span(trace, *id)).collect();
        assert_eq!(spans, sent);
    }
}

/// A trace of more than one piece is one document.
#[test]
fn a_large_trace_is_written_in_pieces_that_make_one_document() {
    let store = Store::new(Config::default());
    for batch in 0..20_u8 {
        let spans = (1..=200).map(|id| span(1, id)).collect();
        let mut request = request_of(spans);
        request.resource_spans[0].schema_url = format!("https://example.com/{}", batch % 2);
        store.take(&request.encode_to_vec()).unwrap();
    }
    let stored = store.stored(trace_id(1)).unwrap();
    assert!(stored.to_json().count() > 3 && stored.to_protobuf().count() > 2);
    let document = json(&store, 1);
    let groups = document["resourceSpans"].as_array().unwrap();
    assert_eq!(groups.len(), 2);
    for group in groups {
        assert_eq!(
            group["scopeSpans"][0]["spans"].as_array().unwrap().len(),
            2_000
        );
    }
    let out = ExportTraceServiceRequest::decode(&*protobuf(&store, 1)).unwrap();
    let spans = out
        .resource_spans
        .iter()
        .flat_map(|resource| &resource.scope_spans);
    assert_eq!(spans.map(|scope| scope.spans.len()).sum::<usize>(), 4_000);
}

/// The memory for rows and copies is the room of the request, too.
#[test]
fn the_weight_of_small_spans_is_more_than_their_bytes() {
    let store = Store::new(Config::default());
    let spans: Vec<Span> = (1..=100)
        .map(|trace| Span {
            trace_id: vec![trace; 16],
            span_id: vec![1; 8],
            ..Span::default()
        })
        .collect();
    let request = request_of(spans).encode_to_vec();
    store.take(&request).unwrap();
    let weight = store.stats().bytes.stored;
    assert!(
        weight > 4 * request.len() as u64,
        "{weight} for {} bytes",
        request.len()
    );
}

/// A stand-in for a request that is mostly resources, each with one small span: what is kept of it besides its bytes
/// takes room before it is made.
#[tokio::test]
async fn what_many_resources_share_takes_room_too() {
    let sink = Sink::start(Config {
        max_in_flight_bytes: 100_000,
        ..Config::default()
    })
    .await;
    let mut sent = ExportTraceServiceRequest::default();
    for id in 1..=200_u8 {
        let mut one = request_of(vec![span(1, id)]);
        one.resource_spans[0].schema_url = format!("https://example.com/{id}");
        sent.resource_spans.extend(one.resource_spans);
    }
    let body = sent.encode_to_vec();
    assert!(body.len() < 40_000, "{}", body.len());
    let answer = sink.post("/v1/traces", PROTOBUF, None, body).await;
    assert_eq!(answer.status(), 429);
    assert_eq!(sink.spans().received, 0);
    let few = request_of(vec![span(1, 1)]).encode_to_vec();
    assert_eq!(
        sink.post("/v1/traces", PROTOBUF, None, few).await.status(),
        200
    );
}
