//! Files of more than is held at once: each span is read alone, and what is wrong with one is said.

use formats::{Limits, Note, Recorder, Recording};
use testing::spans::healthy;
use trace::{Span, otlp};

use crate::file::gzip;

/// One document of so many copies of a trace, each with another trace id.
fn document(copies: u64) -> (String, Vec<Span>) {
    let mut spans = Vec::new();
    for copy in 0..copies {
        for mut span in healthy() {
            let mut id = *span.trace_id.as_bytes();
            id[..8].copy_from_slice(&(copy + 1).to_be_bytes());
            span.trace_id = trace::TraceId::from_bytes(id).unwrap();
            spans.push(span);
        }
    }
    let text = otlp::to_json(&spans);
    // Grouped by resource, as it is written.
    let spans = otlp::from_json(text.as_bytes()).unwrap().spans;
    (text, spans)
}

fn recorded(text: &[u8]) -> (Recording, Vec<Note>) {
    let mut recorder = Recorder::new(Limits::default());
    let notes = recorder.add(text).unwrap();
    (recorder.finish().unwrap(), notes)
}

/// More than the beginning of a document that is held.
const LARGE: usize = 5 << 20;

#[test]
fn a_large_document_is_read_span_by_span() {
    let (text, spans) = document(900);
    assert!(text.len() > LARGE, "{}", text.len());
    let read = formats::read(text.as_bytes()).unwrap();
    assert_eq!(read.spans, spans);
    assert_eq!(read.notes, []);
    assert_eq!(formats::read(&gzip(text.as_bytes())).unwrap().spans, spans);

    let (recording, _) = recorded(text.as_bytes());
    assert_eq!(recording.traces().len(), 900);
    for recorded in recording.traces() {
        let mut right: Vec<&Span> = spans.iter().collect();
        right.retain(|span| span.trace_id == recorded.id);
        let read = recording.spans(recorded).unwrap();
        assert_eq!(read.iter().collect::<Vec<_>>(), right);
        assert_eq!(recorded.spans, right.len());
    }
}

#[test]
fn a_small_memory_is_enough_for_a_large_document() {
    let (text, spans) = document(900);
    let memory = 8 << 20;
    let limits = Limits {
        memory,
        ..Limits::default()
    };
    let mut recorder = Recorder::new(limits);
    recorder.add(text.as_bytes()).unwrap();
    let recording = recorder.finish().unwrap();
    let read = recording.traces().iter().map(|one| one.spans);
    assert_eq!(read.sum::<usize>(), spans.len());

    // It is not enough for what must be known of each span.
    let mut recorder = Recorder::new(Limits {
        memory: 1 << 20,
        ..limits
    });
    let refused = recorder.add(text.as_bytes()).unwrap_err().to_string();
    assert!(refused.starts_with("what is known of "), "{refused}");
}

#[test]
fn what_is_wrong_far_into_a_document_is_said() {
    let (text, spans) = document(900);
    let far = text.len() - 2_000;
    let last = far + text[far..].find("\"spanId\":\"").unwrap();

    let bad = format!("{}\"spanId\":\"00{}", &text[..last], &text[last + 12..]);
    let read = formats::read(bad.as_bytes()).unwrap();
    assert_eq!(read.spans.len(), spans.len());
    let zero = format!(
        "{}\"spanId\":\"0000000000000000{}",
        &text[..last],
        &text[last + 26..]
    );
    let read = formats::read(zero.as_bytes()).unwrap();
    assert_eq!(read.spans.len(), spans.len() - 1);
    let [note] = &read.notes[..] else { panic!() };
    let note = note.to_string();
    assert!(note.starts_with("document 1: resourceSpans["), "{note}");
    assert!(note.contains("spanId"), "{note}");

    let number = format!(
        "{}\"spanId\":7,\"x\":\"{}",
        &text[..last],
        &text[last + 10..]
    );
    let refused = formats::read(number.as_bytes()).unwrap_err().to_string();
    assert!(refused.contains("spanId: "), "{refused}");
    assert!(refused.contains("resourceSpans["), "{refused}");

    let half = format!("{}\"name\":\"a\\ud83d\",{}", &text[..last], &text[last..]);
    let read = formats::read(half.as_bytes()).unwrap();
    assert_eq!(read.spans.len(), spans.len());
    assert_eq!(read.notes, [Note::Replaced(1)]);

    let comma = format!("{},{}", &text[..last], &text[last..]);
    let refused = formats::read(comma.as_bytes()).unwrap_err().to_string();
    let place = format!("at line 1 column {}", last + 1);
    assert!(refused.contains(&place), "{refused}, not {place}");
}

#[test]
fn a_large_document_that_is_cut_off_counts_as_a_whole() {
    let (text, _) = document(900);
    let refused = formats::read(&text.as_bytes()[..text.len() - 1]).unwrap_err();
    assert!(
        refused.to_string().contains("EOF while parsing an object"),
        "{refused}"
    );
    let (small, spans) = document(1);
    let both = format!("{small}\n{}", &text[..text.len() - 1]);
    let read = formats::read(both.as_bytes()).unwrap();
    assert_eq!(read.spans, spans);
    assert_eq!(read.notes.len(), 1);
    assert!(read.notes[0].to_string().starts_with("line 2 is cut off"));
}

#[test]
fn a_span_that_stands_in_two_files_is_read_once() {
    let (text, spans) = document(1);
    let mut recorder = Recorder::new(Limits::default());
    for _ in 0..2 {
        recorder.add(text.as_bytes()).unwrap();
    }
    recorder.add_spans(&spans).unwrap();
    let recording = recorder.finish().unwrap();
    let [recorded] = recording.traces() else {
        panic!()
    };
    assert_eq!(recording.spans(recorded).unwrap(), spans);
}
