//! Files of backends, collectors and SDKs that once were refused, after public bug reports.

use formats::{Contents, Note};
use prost::Message as _;
use testing::spans::healthy;
use trace::{Kind, Span, otlp};

fn read(bytes: impl AsRef<[u8]>) -> Contents {
    formats::read(bytes.as_ref()).unwrap_or_else(|error| panic!("it is a trace file: {error}"))
}

fn refused(bytes: impl AsRef<[u8]>) -> String {
    formats::read(bytes.as_ref())
        .expect_err("no span can be read")
        .to_string()
}

/// The service, the name and the kind of each span.
fn told(spans: &[Span]) -> Vec<String> {
    let told = |span: &Span| format!("{} {} {}", span.service(), span.name, span.kind);
    spans.iter().map(told).collect()
}

const PAGE: [&str; 3] = [
    "web GET /page server",
    "web GET client",
    "stock GET /items server",
];

#[test]
fn what_backends_and_exporters_write_is_read_as_a_whole() {
    for (name, text) in [
        (
            "Tempo's API v1",
            include_str!("field/a02-tempo-batches.json"),
        ),
        (
            "Tempo's API v2",
            include_str!("field/a03-tempo-v2-trace.json"),
        ),
        (
            "Jaeger's API v3",
            include_str!("field/a04-jaeger-v3-array.json"),
        ),
        (
            "Java's logging exporter",
            include_str!("field/a06-java-logging.jsonl"),
        ),
        (
            "an array",
            include_str!("field/a16-array-of-documents.json"),
        ),
    ] {
        let Contents { spans, notes } = read(text);
        assert_eq!(told(&spans), PAGE, "{name}");
        assert_eq!(notes, [], "{name}");
        let id = spans[1].trace_id.to_string();
        assert_eq!(id, "5b8efff798038103d269b633813fc60c", "{name}");
        let parents = [1, 2].map(|child: usize| spans[child].parent_span_id);
        assert_eq!(
            parents,
            [Some(spans[0].span_id), Some(spans[1].span_id)],
            "{name}"
        );
    }
    let spans = read(include_str!("field/a14-negative-dropped.json")).spans;
    let dropped = (
        spans[0].dropped_attributes,
        spans[0].dropped_events,
        spans[0].dropped_links,
    );
    assert_eq!(dropped, (0, 0, 0));
    let spans = read(include_str!("field/a18-attribute-40-deep.json")).spans;
    assert_eq!(told(&spans), PAGE);
    assert_eq!(
        spans[0]
            .attributes
            .get("prompt")
            .unwrap()
            .to_string()
            .matches("{k: ")
            .count(),
        40
    );
}

#[test]
fn a_partial_trace_is_called_so() {
    let text = include_str!("field/a03-tempo-v2-trace.json");
    let text = text.replacen("\"metrics\": {}", "\"status\": \"PARTIAL\"", 1);
    let Contents { spans, notes } = read(text);
    assert_eq!((spans.len(), notes), (3, vec![Note::Partial]));
}

#[test]
fn other_signals_are_counted() {
    let Contents { spans, notes } = read(include_str!("field/a07-mixed-signals.jsonl"));
    assert_eq!(told(&spans), PAGE);
    let one = |signal| Note::OtherSignal {
        signal,
        documents: 1,
    };
    assert_eq!(notes, [one("logs"), one("metrics")]);
    let words = "1 document of logs left out: only traces are read";
    assert_eq!(notes[0].to_string(), words);
}

#[test]
fn the_whole_part_of_a_file_that_is_cut_off_is_read() {
    let text = include_str!("field/a11-cut-last-line.jsonl");
    let Contents { spans, notes } = read(text);
    assert_eq!(told(&spans), PAGE[..2]);
    let words = "line 2 is cut off and left out; the file may still be written";
    assert_eq!(
        notes.iter().map(Note::to_string).collect::<Vec<_>>(),
        [words]
    );

    let message = otlp::to_protobuf(&healthy());
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let two = [&length, &message[..], &length, &message].concat();
    for cut in [two.len() - 1, message.len() + 6] {
        let Contents { spans, notes } = read(&two[..cut]);
        let part = "message 2".to_owned();
        assert_eq!((spans.len(), notes), (27, vec![Note::Cut { part }]));
    }

    let lines = format!("{text}\n").repeat(3);
    for packed in [
        crate::file::gzip(lines.as_bytes()),
        crate::file::zstd(lines.as_bytes()),
    ] {
        let cut = &packed[..packed.len() - 3];
        match formats::read(cut) {
            Ok(Contents { notes, .. }) => assert!(notes.iter().any(Note::is_loss), "{notes:?}"),
            // The decoder may keep back all of a short text.
            Err(error) => assert!(error.to_string().contains("cannot be unpacked"), "{error}"),
        }
    }
}

#[test]
fn a_file_with_the_field_names_of_old_says_why_nothing_is_read() {
    let old = include_str!("field/a08-library-spans.json");
    let why = "3 spans are below \"instrumentationLibrarySpans\" and left out: OTLP 0.15 renamed this field \
               to \"scopeSpans\", and \"instrumentationLibrary\" in it to \"scope\"; OTLP 1.0 does not have \
               the old names";
    assert_eq!(refused(old), format!("no span can be read: {why}"));
    let new = include_str!("field/a16-array-of-documents.json");
    let Contents { spans, notes } = read(format!("{new}{old}"));
    assert_eq!((spans.len(), notes), (3, vec![Note::LibrarySpans(3)]));
}

#[test]
fn what_a_console_exporter_prints_is_called_so() {
    let javascript =
        "{\n  resource: { attributes: {} },\n  traceId: '5b8efff798038103d269b633813fc60c',\n}";
    let go = "{\"Name\": \"step\", \"SpanContext\": {\"TraceID\": \"5b8efff798038103d269b633813fc60c\"}}";
    for text in [
        include_str!("field/a10-python-console.json"),
        javascript,
        go,
    ] {
        let refused = refused(text);
        assert!(
            refused.contains("what the console exporter of an SDK prints"),
            "{refused}"
        );
        assert!(refused.contains("`tracelab sink`"), "{refused}");
    }
}

#[test]
fn a_text_that_is_cut_in_a_character_costs_one_character() {
    let mut spans = healthy();
    spans[2].name = "caf#".into();
    let mut bytes = otlp::to_protobuf(&spans);
    let at = bytes
        .windows(4)
        .position(|window| window == b"caf#")
        .unwrap();
    bytes[at + 3] = 0xc3;
    let json = otlp::to_json(&spans);
    let lone = json.replace("caf#", "caf\\ud83d");
    for file in [
        bytes,
        lone.clone().into_bytes(),
        format!("{json}\n{lone}").into_bytes(),
    ] {
        let Contents { spans, notes } = read(file);
        assert_eq!(notes, [Note::Replaced(1)]);
        assert_eq!(spans.len() % 27, 0);
        let cut = spans.iter().filter(|span| span.name == "caf\u{fffd}");
        assert_eq!(cut.count(), 1);
    }
}

#[test]
fn one_bad_span_is_left_out_and_named() {
    let good = otlp::to_json(&healthy());
    let bad = good.replacen("\"0000000000000001\"", "\"00\"", 1);
    let Contents { spans, notes } = read(format!("{good}\n{bad}"));
    let words = "document 2: resourceSpans[0].scopeSpans[0].spans[0].spanId: 1 bytes where 8 are needed; this \
                 span is left out";
    let told: Vec<String> = notes.iter().map(Note::to_string).collect();
    assert_eq!((spans.len(), told), (53, vec![words.to_owned()]));

    let jaeger = include_str!("field/j06-one-trace-without-data.json");
    let bad = jaeger.replacen("\"spanID\": \"eee19b7ec3c10002\"", "\"spanID\": \"\"", 1);
    let Contents { spans, notes } = read(bad);
    assert_eq!(told_spans(&spans), ["a"]);
    let words = "document 1: spans[1]: span id \"\": all zero";
    assert!(notes[0].to_string().starts_with(words), "{notes:?}");

    let zipkin = "[{\"traceId\": \"1\", \"id\": \"2\", \"name\": \"a\"}, {\"traceId\": \"1\", \"name\": \"b\"}]";
    let Contents { spans, notes } = read(zipkin);
    assert_eq!(told_spans(&spans), ["a"]);
    assert!(
        notes[0]
            .to_string()
            .contains("document 1: [1]: missing field `id`"),
        "{notes:?}"
    );

    // Each of the first ones is named, and the others are counted.
    let one = "[{\"traceId\": \"1\", \"id\": \"0\"}]";
    let words = "no span can be read: document 1: [0].id: \"0\": all zero";
    assert!(refused(one).starts_with(words), "{}", refused(one));
    let many: Vec<String> = (0..8).map(|_| bad_and_good(&good)).collect();
    let notes = read(many.join("\n")).notes;
    assert_eq!((notes.len(), notes.last()), (6, Some(&Note::MoreSpans(3))));
}

fn bad_and_good(good: &str) -> String {
    good.replacen("\"0000000000000001\"", "\"00\"", 1)
}

fn told_spans(spans: &[Span]) -> Vec<&str> {
    spans.iter().map(|span| span.name.as_str()).collect()
}

#[test]
fn a_kind_that_otlp_does_not_have_yet_is_kept() {
    let text =
        include_str!("field/a14-negative-dropped.json").replacen("\"kind\": 2", "\"kind\": 99", 1);
    let spans = read(&text).spans;
    assert_eq!(spans[0].kind, Kind::Unknown(99));
    let out: serde_json::Value = serde_json::from_str(&otlp::to_json(&spans)).unwrap();
    assert_eq!(
        out["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["kind"],
        99
    );
    let again = otlp::to_request(&spans).encode_to_vec();
    assert_eq!(read(again).spans, spans);
}

#[test]
fn what_jaeger_makes_of_references_is_understood() {
    let spans = read(include_str!("field/j02-parent-reference-of-zeros.json")).spans;
    assert_eq!(spans[0].parent_span_id, None);
    assert_eq!(spans[1].parent_span_id, Some(spans[0].span_id));

    // A consumer that is the child of its producer and links to it: the real Jaeger keeps the link alone.
    let following = include_str!("field/j03-only-follows-from.json");
    let spans = read(following).spans;
    assert_eq!(spans[1].parent_span_id, Some(spans[0].span_id));
    assert_eq!(spans[1].links.len(), 1);
    assert_eq!(spans[1].links[0].span_id, spans[0].span_id);

    // Of two it cannot be known which is the parent.
    let one = "{\n       \"refType\": \"FOLLOWS_FROM\"";
    assert!(following.contains(one), "the file is laid out so");
    let second = "{\"refType\": \"FOLLOWS_FROM\", \"traceID\": \"5b8efff798038103d269b633813fc60c\", \
                  \"spanID\": \"eee19b7ec3c10009\"},\n";
    let spans = read(following.replacen(one, &format!("{second}{one}"), 1)).spans;
    assert_eq!((spans[1].parent_span_id, spans[1].links.len()), (None, 2));

    let spans = read(include_str!("field/j06-one-trace-without-data.json")).spans;
    assert_eq!(told(&spans), ["web a unspecified", "web b unspecified"]);
    let several = format!(
        "[{0},{0}]",
        include_str!("field/j06-one-trace-without-data.json")
    );
    assert_eq!(read(several).spans.len(), 4);
}

/// A late tag and annotation of the server, without its kind and time.
#[test]
fn a_late_piece_of_a_zipkin_span_is_joined_with_its_span() {
    let late = include_str!("field/z05-late-piece.json");
    let spans = read(late).spans;
    assert_eq!(
        told(&spans),
        [
            "front get / server",
            "front get client",
            "back get /back server"
        ]
    );
    let server = &spans[2];
    assert_eq!(server.parent_span_id, Some(spans[1].span_id));
    assert_eq!(
        (server.start_ns, server.duration().as_millis()),
        (1_750_000_000_020_000_000, 60)
    );
    assert_eq!(server.attributes.get("late"), Some(&"yes".into()));
    assert_eq!(server.events.len(), 1);

    // What a reporter sends twice is one span, and two calls under one id are two.
    let of = |time: u64| {
        format!(
            "{{\"traceId\": \"1\", \"id\": \"2\", \"kind\": \"CLIENT\", \"timestamp\": {time}, \"duration\": 5, \
             \"localEndpoint\": {{\"serviceName\": \"a\"}}}}"
        )
    };
    let spans = |one: u64, other: u64| read(format!("[{}, {}]", of(one), of(other))).spans.len();
    assert_eq!((spans(100, 100), spans(100, 200)), (1, 2));
}

/// A program that stopped while it wrote, and went on in a new line.
#[test]
fn a_broken_line_among_others_is_left_out_and_named() {
    let line = otlp::to_json(&healthy());
    let half = &line[..line.len() / 2];
    let Contents { spans, notes } = read(format!("{line}\n{half}\n{line}\n{half}"));
    assert_eq!(spans.len(), 54);
    let told: Vec<String> = notes.iter().map(Note::to_string).collect();
    assert!(
        told[0].starts_with("line 2 is no JSON and left out: "),
        "{told:?}"
    );
    assert!(
        told[1].starts_with("line 4 is cut off and left out; "),
        "{told:?}"
    );
    assert_eq!(
        (told.len(), read(format!("{half}\n{line}\n")).spans.len()),
        (2, 27)
    );
    // What has no document on each line is refused, as is a file with too many broken lines.
    assert!(refused(format!("{half}\n \"a\": 1}}")).starts_with("no JSON: "));
    assert!(refused(format!("{half}\n").repeat(20)).starts_with("no JSON: "));
}
