//! Trace files: each format is known by what is in it, packed or not, and what is none is refused
//! in words.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest},
    logs::v1 as logs,
    metrics::v1 as metrics,
};
use proptest::{collection::vec, prelude::*, sample};
use prost::Message as _;
use serde_json::json;
use testing::spans::{any_span, healthy};
use trace::{Span, otlp};

use formats::Note;

use crate::zipkin;

fn as_document(spans: &[Span]) -> serde_json::Value {
    serde_json::from_str(&otlp::to_json(spans)).unwrap()
}

#[test]
fn a_file_of_otlp_json_holds_one_document_or_one_a_line() {
    let document = as_document(&healthy());
    assert_eq!(read(document.to_string()).len(), 27);
    assert_eq!(read(format!("{document:#}\n")).len(), 27);
    assert_eq!(read(format!("{document}\n{document}\n")).len(), 54);
    assert_eq!(read(format!("\u{feff}{document}")).len(), 27);
}

#[test]
fn a_file_of_protobuf_holds_one_message_or_several_with_their_lengths() {
    let message = otlp::to_protobuf(&healthy());
    assert_eq!(read(&message), otlp::from_protobuf(&message).unwrap().spans);
    assert_eq!(read(&message).len(), 27);
    assert_eq!(read(framed([&message[..]])).len(), 27);
    assert_eq!(read(framed([&message[..], &[], &message])).len(), 54);
    assert_eq!(read(framed([&[][..], &message])).len(), 27);
}

/// A message whose length is that of a brace begins like a document after an empty line.
#[test]
fn a_message_that_begins_like_json_is_protobuf() {
    let mut span = healthy().swap_remove(0);
    let message = loop {
        let message = otlp::to_protobuf(std::slice::from_ref(&span));
        if message[1] == b'{' {
            break message;
        }
        assert!(message[1] < b'{', "a span that short can be made");
        span.name.push('x');
    };
    assert!(message.starts_with(b"\n{\n"), "{message:?}");
    assert_eq!(read(message), [span]);
    let document = as_document(&healthy());
    assert_eq!(read(format!("\n{document:#}")).len(), 27);
}

#[test]
fn jaegers_page_and_its_newer_api_are_read() {
    let document = jaeger();
    let spans = read(document.to_string());
    assert_eq!(spans.len(), 2);
    assert_eq!(
        spans[1].trace_id.to_string(),
        "00000000000000004bf92f3577b34da6"
    );
    assert_eq!(spans[1].parent_span_id, Some(spans[0].span_id));
    let wrapped = json!({ "result": as_document(&healthy()) });
    assert_eq!(read(wrapped.to_string()).len(), 27);
}

#[test]
fn every_format_may_be_packed() {
    for plain in documents() {
        let spans = told(&formats::read(&plain).unwrap().spans);
        assert_eq!(told(&read(gzip(&plain))), spans);
        assert_eq!(told(&read(zstd(&plain))), spans);
    }
    let line = format!("{}\n", otlp::to_json(&healthy()));
    let parts = [gzip(line.as_bytes()), gzip(line.as_bytes())].concat();
    assert_eq!(read(parts).len(), 54, "gzip of several members");
    let parts = [zstd(line.as_bytes()), zstd(line.as_bytes())].concat();
    assert_eq!(read(parts).len(), 54, "zstd of several frames");
}

/// As the file exporter does with a compression, whatever the format.
#[test]
fn each_message_may_be_packed_alone() {
    let protobuf = zstd(&otlp::to_protobuf(&healthy()));
    let json = zstd(otlp::to_json(&healthy()).as_bytes());
    assert_eq!(read(framed([&protobuf[..], &json, &protobuf])).len(), 81);
}

#[test]
fn what_unpacks_to_too_much_is_refused() {
    let message = otlp::to_protobuf(&healthy());
    for packed in [gzip(&message), zstd(&message)] {
        assert!(formats::read_within(&packed, message.len()).is_ok());
        let refused = formats::read_within(&packed, message.len() - 1).unwrap_err();
        let words = format!("unpacks to more than {} bytes", message.len() - 1);
        assert!(refused.to_string().contains(&words), "{refused}");
        let both = framed([&packed[..], &packed]);
        let refused = formats::read_within(&both, 2 * message.len() - 1).unwrap_err();
        assert!(refused.to_string().contains("unpacks to more"), "{refused}");
    }
    let blanks = zstd(&vec![b' '; (1 << 20) + 1]);
    let refused = formats::read_within(&blanks, 1 << 20).unwrap_err();
    assert!(refused.to_string().contains("more than 1 MiB"), "{refused}");
}

#[test]
fn what_is_packed_badly_is_refused() {
    let message = otlp::to_protobuf(&healthy());
    for (packed, name) in [(gzip(&message), "gzip"), (zstd(&message), "zstd")] {
        let words = format!("the file looks like {name} and cannot be unpacked: ");
        let cut = &packed[..packed.len() / 2];
        assert!(refused(cut).starts_with(&words), "{}", refused(cut));
    }
}

#[test]
fn what_is_empty_is_called_so() {
    for empty in [
        &b""[..],
        b" \n\t",
        b"\xef\xbb\xbf\n",
        &gzip(b""),
        &zstd(b"\n"),
    ] {
        assert!(
            refused(empty).contains("the file is empty"),
            "{}",
            refused(empty)
        );
    }
}

#[test]
fn json_of_another_shape_is_refused_with_a_hint() {
    for (text, words) in [
        (
            "{\n  nonsense",
            "no JSON: key must be a string at line 2 column 3",
        ),
        ("{\"resourceSpans\": [", "no JSON: EOF while parsing"),
        ("{\"resourceLogs\": []}", "1 document of logs left out"),
        ("{\"data\": []}", "backend's own API"),
        (
            "{\"traceId\": \"1\", \"id\": \"2\"}",
            "one span of Zipkin's",
        ),
        ("[{\"trace_id\": \"1\"}]", "hold spans with a \"traceId\""),
        (
            "{\"resourceSpans\": 1}",
            "document 1: no OTLP/JSON: resourceSpans: an array is needed",
        ),
        (
            "{\"data\": [{\"spans\": [{}]}]}",
            "document 1: data[0].spans[0]: missing field `traceID`",
        ),
        (
            "\n{\"resourceSpans\": \"\u{1}\"}",
            "no JSON: control character",
        ),
    ] {
        assert!(refused(text).contains(words), "{text}: {}", refused(text));
    }
}

#[test]
fn a_file_of_no_format_is_told_what_it_looks_like() {
    let utf_16 = [&b"\xff\xfe"[..], &b"{\0}\0"[..]].concat();
    for (bytes, looks) in [
        (&b"<html>\n<body>"[..], "it begins with \"<html>…\""),
        (b"hello\n", "it begins with \"hello\""),
        (b"1", "it begins with \"1\""),
        (
            b"[package]\nname = \"trace\"\n",
            "it begins with \"[package]…\"",
        ),
        (
            "Übertragung der Spuren, ein langer Satz ohne Ende".as_bytes(),
            "it begins with \"Übertragung der Spuren, ein langer Satz …\"",
        ),
        (
            b"\x89PNG\r\n\x1a\n",
            "it begins with the bytes 89 50 4e 47 0d 0a 1a 0a",
        ),
        (&[0; 64], "it begins with the bytes 00 00 00 00 00 00 00 00"),
        (b"PK\x03\x04rest", "it looks like a zip archive"),
        (&utf_16, "it looks like text in UTF-16; UTF-8 is needed"),
        (
            &gzip(&zstd(b"{}")),
            "it looks like zstd in something that was packed already",
        ),
    ] {
        let refused = refused(bytes);
        let tried = "no trace file: it is neither OTLP (protobuf or JSON), Jaeger JSON nor \
                     Zipkin JSON v2, plain or packed with gzip or zstd; ";
        assert!(refused.starts_with(tried), "{refused}");
        assert!(
            refused.ends_with(looks),
            "{refused} does not end with {looks}"
        );
    }
}

#[test]
fn protobuf_that_is_cut_off_is_refused() {
    let message = otlp::to_protobuf(&healthy());
    let cut = &message[..message.len() - 1];
    let words = "document 1: no OTLP protobuf: ";
    assert!(refused(cut).contains(words), "{}", refused(cut));
    let one = framed([&message[..]]);
    let words = format!(
        "message 1 is cut off: {} of {} bytes are there",
        message.len() - 1,
        message.len()
    );
    let cut = &one[..one.len() - 1];
    assert!(refused(cut).contains(&words), "{}", refused(cut));
}

#[test]
fn protobuf_of_another_signal_is_called_by_its_name() {
    let resource_logs = logs::ResourceLogs {
        scope_logs: vec![logs::ScopeLogs {
            log_records: vec![logs::LogRecord {
                time_unix_nano: 1,
                ..logs::LogRecord::default()
            }],
            ..logs::ScopeLogs::default()
        }],
        ..logs::ResourceLogs::default()
    };
    let of_logs = ExportLogsServiceRequest {
        resource_logs: vec![resource_logs],
    };
    let resource_metrics = metrics::ResourceMetrics {
        scope_metrics: vec![metrics::ScopeMetrics {
            metrics: vec![metrics::Metric {
                name: "http.server.request.duration".to_owned(),
                ..metrics::Metric::default()
            }],
            ..metrics::ScopeMetrics::default()
        }],
        ..metrics::ResourceMetrics::default()
    };
    let of_metrics = ExportMetricsServiceRequest {
        resource_metrics: vec![resource_metrics],
    };
    let traces = otlp::to_protobuf(&healthy());
    for (message, signal) in [
        (of_logs.encode_to_vec(), "logs"),
        (of_metrics.encode_to_vec(), "metrics"),
    ] {
        let words = format!("1 document of {signal} left out");
        assert!(refused(&message).contains(&words), "{}", refused(&message));
        let read = formats::read(&framed([&message[..], &traces, &message])).unwrap();
        let documents = 2;
        assert_eq!(read.notes, [Note::OtherSignal { signal, documents }]);
        assert_eq!(read.spans.len(), 27);
    }
}

/// A valid file of each format.
fn documents() -> Vec<Vec<u8>> {
    let protobuf = otlp::to_protobuf(&healthy());
    let json = as_document(&healthy());
    vec![
        framed([&protobuf[..], &protobuf]),
        protobuf,
        format!("{json}\n{json}\n").into_bytes(),
        json.to_string().into_bytes(),
        jaeger().to_string().into_bytes(),
        zipkin::answer().to_string().into_bytes(),
        zipkin::of_exporters().to_string().into_bytes(),
    ]
}

fn jaeger() -> serde_json::Value {
    json!({ "data": [{
        "traceID": "4bf92f3577b34da6",
        "processes": { "p1": { "serviceName": "shop", "tags": [] } },
        "spans": [
            {
                "traceID": "4bf92f3577b34da6", "spanID": "f067aa0ba902b7", "operationName": "buy",
                "startTime": 1_790_000_000_000_000_u64, "duration": 1_500, "processID": "p1",
                "tags": [
                    { "key": "span.kind", "type": "string", "value": "server" },
                    { "key": "error", "type": "bool", "value": true },
                ],
                "logs": [{ "timestamp": 1_790_000_000_000_100_u64, "fields": [
                    { "key": "event", "type": "string", "value": "exception" },
                ] }],
            },
            {
                "traceID": "4bf92f3577b34da6", "spanID": "2", "operationName": "pay",
                "references": [{
                    "refType": "CHILD_OF", "traceID": "4bf92f3577b34da6",
                    "spanID": "f067aa0ba902b7",
                }],
                "startTime": 1_790_000_000_000_000_u64, "duration": 1_000, "processID": "p1",
            },
        ],
    }] })
}

fn framed<'a>(messages: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let with_length = |message: &'a [u8]| {
        let length = u32::try_from(message.len()).unwrap();
        [&length.to_be_bytes(), message].concat()
    };
    messages.into_iter().flat_map(with_length).collect()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn read(bytes: impl AsRef<[u8]>) -> Vec<Span> {
    let read = formats::read(bytes.as_ref());
    let read = read.unwrap_or_else(|error| panic!("it is a trace file: {error}"));
    assert_eq!(read.notes, [], "all of it is read");
    read.spans
}

fn refused(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    match formats::read(bytes) {
        Ok(read) => panic!("{bytes:?} is no trace file: {read:?}"),
        Err(error) => error.to_string(),
    }
}

fn told(spans: &[Span]) -> Vec<String> {
    spans.iter().map(|span| format!("{span:?}")).collect()
}

/// What a file may begin with for some reader to look further.
const BEGINNINGS: [&[u8]; 10] = [
    b"",
    b"\n",
    b"\n{",
    b"{",
    b"[{\"traceId\":",
    b"\x00\x00\x00\x04\n",
    b"\x1f\x8b\x08",
    b"\x28\xb5\x2f\xfd",
    b"\x50\x2a\x4d\x18",
    b"\xef\xbb\xbf",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn spans_survive_a_file_of_protobuf(spans in vec(any_span(), 1..4)) {
        let message = otlp::to_protobuf(&spans);
        let from_message = told(&otlp::from_protobuf(&message).unwrap().spans);
        prop_assert_eq!(&told(&read(&message)), &from_message);
        prop_assert_eq!(&told(&read(framed([&message[..]]))), &from_message);
    }

    #[test]
    fn any_bytes_are_answered(
        beginning in sample::select(BEGINNINGS.to_vec()),
        bytes in vec(any::<u8>(), 0..200),
    ) {
        let bytes = [beginning, &bytes].concat();
        let _ = formats::read_within(&bytes, 1 << 20);
    }

    /// A valid file of each format, cut and with bytes changed, plain and packed.
    #[test]
    fn a_mutated_file_is_answered(
        changes in vec((any::<sample::Index>(), any::<u8>()), 0..6),
        keep in any::<sample::Index>(),
        whole in any::<bool>(),
    ) {
        let mutated = |mut bytes: Vec<u8>| {
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            if !whole {
                bytes.truncate(keep.index(bytes.len() + 1));
            }
            let _ = formats::read_within(&bytes, 1 << 20);
            bytes
        };
        for bytes in documents() {
            mutated(zstd(&bytes));
            mutated(gzip(&bytes));
            let bytes = mutated(bytes);
            let _ = formats::read(&zstd(&bytes));
        }
    }
}
