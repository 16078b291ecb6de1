//! A document that is read piece by piece has the spans of one that is read as a whole, whatever the size of the window.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use otlp::{DecodeError, Part, Piece, StreamError, Window, stream_traces, traces_from_json, walk};

const DOCUMENT: &str = r#" { "resourceSpans" : [
  {"scopeSpans": [{"spans": [
      {"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7", "name": "one \"quoted\", \\", "kind": 3},
      {"attributes": [{"key": "n", "value": {"intValue": 12345678}}, {"key": "deep", "value": {"arrayValue": {"values": [{"kvlistValue": {"values": []}}]}}}]}],
    "scope": {"name": "after its spans"}, "unknown": 1234567, "schemaUrl": "u"},
    {"scope": null, "spans": []}, {"spans": null}],
   "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}},
  {"resource": {}, "instrumentationLibrarySpans": [{"spans": [{}, {}]}], "scope_spans": [{"spans": [{"name": "a\ud83dz", "start_time_unix_nano": "5"}]}]},
  {} ],
  "partial" : [1, {"x": [true, null, -1.5e3]}] } "#;

/// The encoded spans, and the rest of each scope and resource.
type Parts = (Vec<Vec<u8>>, Vec<Vec<u8>>, Vec<Vec<u8>>);

/// Returns also whether all of the text was read.
fn streamed(text: &str, most: usize) -> Result<(Parts, otlp::Streamed, bool), StreamError> {
    let mut parts = Parts::default();
    let mut window = Window::new(text.as_bytes(), most);
    window.skip_space()?;
    let streamed = stream_traces(&mut window, &mut |piece| {
        match piece {
            Piece::Span(span) => parts.0.push(span.to_vec()),
            Piece::Scope(scope) => parts.1.push(scope.to_vec()),
            Piece::Resource(resource) => parts.2.push(resource.to_vec()),
        }
        Ok(())
    })?;
    let is_all = window.skip_space()?.is_none();
    Ok((parts, streamed, is_all))
}

/// Without the field of number 2, which holds the next level.
fn outer(message: &[u8]) -> Vec<u8> {
    let fields = otlp::wire::Fields::of(message).map(Result::unwrap);
    let outer = fields.filter(|field| field.number != 2);
    outer.flat_map(|field| field.whole.to_vec()).collect()
}

#[test]
fn pieces_are_those_of_the_whole_document() {
    let whole = traces_from_json(DOCUMENT.as_bytes()).unwrap();
    let mut right = Parts::default();
    walk(&whole.bytes, |part| {
        match part {
            Part::Span(head) => right.0.push(head.message.to_vec()),
            Part::Scope(scope) => right.1.push(outer(scope)),
            Part::Resource(resource) => right.2.push(outer(resource)),
        }
        Ok::<(), DecodeError>(())
    })
    .unwrap();
    assert_eq!(right.0.len(), 3);
    for most in (400..2_000).step_by(7) {
        let (parts, found, is_all) = streamed(DOCUMENT, most).unwrap();
        assert!(is_all && parts == right, "a window of {most}: {parts:?}");
        assert_eq!((found.replaced, found.library_spans), (1, 2));
    }
    let refused = streamed(DOCUMENT, 60).unwrap_err();
    assert!(matches!(refused, StreamError::TooLarge(3)), "{refused}");
}

/// A document that is cut or changed at any place is refused as the whole one is, or read with the same result.
#[test]
fn what_is_wrong_is_refused_as_in_a_whole_document() {
    // Half of a character is looked for where the parser refuses a text, and changes what it says.
    let document = DOCUMENT.replace(r"\ud83d", "");
    let (mut read, mut refused) = (0, 0);
    for at in 3..document.len() - 1 {
        for (text, what) in [
            (document[..at].to_owned(), "cut"),
            ([&document[..at], "7", &document[at + 1..]].concat(), "7"),
            ([&document[..at], "]", &document[at + 1..]].concat(), "]"),
            ([&document[..at], ",", &document[at + 1..]].concat(), ","),
        ] {
            let whole = traces_from_json(text.as_bytes());
            let pieces = streamed(&text, 1_000);
            match (whole, pieces) {
                (Ok(whole), Ok((parts, _, true))) => {
                    let spans = parts.0.iter().map(Vec::len).sum::<usize>();
                    assert!(spans <= whole.bytes.len(), "{what} at {at}");
                    read += 1;
                }
                (Err(DecodeError::Mismatch(whole)), Err(StreamError::Otlp(pieces))) => {
                    let right = format!("no OTLP/JSON: {whole}");
                    assert_eq!(pieces.to_string(), right, "{what} at {at}");
                    refused += 1;
                }
                (Err(DecodeError::Json(whole)), Err(StreamError::Json { problem, line, .. })) => {
                    let right = whole.to_string();
                    let right = right.split(" at line ").next().unwrap();
                    assert_eq!(problem, right, "{what} at {at}");
                    assert_eq!(line, whole.line(), "{what} at {at}");
                    refused += 1;
                }
                // The document ends before the text does.
                (Err(DecodeError::Json(whole)), Ok((.., false))) => {
                    assert!(whole.to_string().contains("trailing characters"), "{whole}");
                }
                (whole, pieces) => panic!("{what} at {at}: {whole:?}, {pieces:?}"),
            }
        }
    }
    assert!(refused > 1_500 && read > 500, "{refused} {read}");
}
