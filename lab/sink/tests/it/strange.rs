//! What must hold of any bytes that are taken for a request of traces. The fuzz target `requests` uses this file, too.

use std::error::Error;

use otlp::{DecodeError, Piece, Window, stream_traces, traces_from_json};
use sink::{Config, Store};
use trace::{Span, Trace, TraceId, otlp::from_protobuf};

/// Puts the bytes as protobuf and as JSON into small stores, and reads back what was stored. Returns whether they were a
/// request in one of both.
pub(crate) fn endure(bytes: &[u8]) -> bool {
    let as_protobuf = store(bytes);
    let transcoded = traces_from_json(bytes);
    stream(bytes, &transcoded);
    match transcoded {
        Ok(transcoded) => {
            assert!(
                store(&transcoded.bytes),
                "what is written over from JSON is a request"
            );
            true
        }
        Err(_) => as_protobuf,
    }
}

/// A request is refused as a whole, or each of its spans is stored unchanged, refused or evicted.
fn store(request: &[u8]) -> bool {
    let store = Store::new(Config {
        max_bytes: 20_000,
        ..Config::default()
    });
    let decoded = from_protobuf(request);
    let taken = store.take(request);
    assert_eq!(taken.is_ok(), decoded.is_ok(), "{taken:?} {decoded:?}");
    let spans = store.stats().spans;
    assert_eq!(spans.received, spans.stored + spans.evicted + spans.refused);
    let Ok(decoded) = decoded else {
        assert_eq!(spans.received, 0, "nothing is stored of what is refused");
        return false;
    };
    let sent = decoded.spans.len() + decoded.rejected.len() + decoded.library_spans;
    assert_eq!(spans.received as usize, sent);
    let mut stored = 0;
    for id in store.trace_ids() {
        let Some(trace) = store.trace(id) else {
            continue;
        };
        stored += trace.spans().len();
        let sent: Vec<&Span> = decoded
            .spans
            .iter()
            .filter(|span| span.trace_id == id)
            .collect();
        for span in trace.spans() {
            // Not `contains`: NaN is no reason to miss it.
            let text = format!("{span:?}");
            assert!(
                sent.iter().any(|sent| format!("{sent:?}") == text),
                "{text} was not sent"
            );
        }
        read_back(&store, id, &trace);
    }
    assert_eq!(stored as u64, spans.stored);
    true
}

/// A trace goes out as protobuf and as JSON that both are read again, with the same spans.
fn read_back(store: &Store, id: TraceId, trace: &Trace) {
    let Some(stored) = store.stored(id) else {
        panic!("trace {id} is in the store");
    };
    let protobuf: Vec<u8> = stored.to_protobuf().flatten().collect();
    let json: Vec<u8> = stored.to_json().flatten().collect();
    let right = format!("{:?}", trace.spans());
    let again = |decoded: Result<trace::otlp::Decoded, DecodeError>| {
        let decoded = decoded.unwrap_or_else(|error| panic!("what was stored is read: {error}"));
        format!("{:?}", Trace::new(id, decoded.spans).spans())
    };
    assert_eq!(again(from_protobuf(&protobuf)), right);
    // JSON has no bytes that are not UTF-8, which are U+FFFD in both.
    assert_eq!(again(trace::otlp::from_json(&json)), right);
}

/// A document that is read span by span, in a small window, has the spans of the whole document.
fn stream(text: &[u8], whole: &Result<otlp::Transcoded, DecodeError>) {
    let mut window = Window::new(text, 2_000);
    if !matches!(window.skip_space(), Ok(Some(b'{'))) {
        return;
    }
    let mut spans = 0;
    let mut count = |piece: Piece<'_>| {
        spans += usize::from(matches!(piece, Piece::Span(_)));
        Ok::<(), Box<dyn Error + Send + Sync>>(())
    };
    let streamed = stream_traces(&mut window, &mut count);
    let is_all = matches!(window.skip_space(), Ok(None));
    match (whole, streamed) {
        (Ok(whole), Ok(streamed)) => {
            let decoded = from_protobuf(&whole.bytes);
            let of_whole = decoded.map(|decoded| decoded.spans.len() + decoded.rejected.len());
            assert_eq!(of_whole.unwrap_or(0), spans);
            assert_eq!(whole.library_spans, streamed.library_spans);
            // Of the whole document also the texts count that have no place in OTLP.
            assert!(streamed.replaced <= whole.replaced);
        }
        (Err(_), Ok(_)) => assert!(!is_all, "what is read to its end is a document"),
        (Ok(_), Err(otlp::StreamError::TooLarge(_))) | (Err(_), Err(_)) => {}
        (Ok(_), Err(error)) => panic!("the whole document is read: {error}"),
    }
}
