//! Guesses the format of bytes: enough to choose a reader, and to describe the bytes to a person.

use serde_json::Value as Json;

/// Whether the bytes begin like JSON that can be a trace file: an object, or an array of objects or of
/// arrays. A configuration file that begins with `[package]` does not.
pub(super) fn like_json(bytes: &[u8]) -> bool {
    let mut rest = without_mark(bytes).trim_ascii_start().iter();
    match rest.next() {
        Some(b'{') => true,
        Some(b'[') => matches!(
            rest.as_slice().trim_ascii_start().first(),
            Some(b'{' | b'[' | b']') | None
        ),
        _ => false,
    }
}

/// Whether the bytes begin like an OTLP request in protobuf: with its only field.
///
/// The first byte of that field is a line feed, and its length may be the byte of a brace or a blank. But the
/// ids of a span follow their lengths, 16 and 8, and text does not contain these bytes.
pub(super) fn like_protobuf(bytes: &[u8]) -> bool {
    bytes.first() == Some(&FIELD_1) && bytes.iter().any(|byte| is_no_text(*byte))
}

/// Field 1 of a message, with a length: `resource_spans` of a request.
pub(super) const FIELD_1: u8 = 0x0a;

/// Whether the bytes are only white space.
pub(super) fn empty(bytes: &[u8]) -> bool {
    without_mark(bytes).trim_ascii().is_empty()
}

/// The bytes without the byte order mark that some editors put before UTF-8.
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Describes the bytes to a person who wonders why they are not a trace file.
pub(super) fn in_words(bytes: &[u8]) -> String {
    let known = KNOWN.iter().find(|(magic, _)| bytes.starts_with(magic));
    if let Some((_, what)) = known {
        return format!("it looks like {what}");
    }
    const SHOWN: usize = 40;
    let rest = without_mark(bytes).trim_ascii_start();
    let end = rest
        .iter()
        .position(|byte| is_no_text(*byte) || *byte == b'\n');
    let (line, below) = rest.split_at(end.unwrap_or(rest.len()));
    let text = line.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let whole = text.len() == line.len() && below.trim_ascii().is_empty();
    if !whole && text.chars().count() < 3 {
        let first: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
        return format!("it begins with the bytes {}", first.join(" "));
    }
    let shown: String = text.trim_end().chars().take(SHOWN).collect();
    let more = if whole && shown == text.trim_end() {
        ""
    } else {
        "…"
    };
    format!("it begins with {:?}", shown + more)
}

/// The first bytes of files that people confuse with trace files, or of packed trace files.
const KNOWN: [(&[u8], &str); 9] = [
    (b"\xff\xfe", "text in UTF-16; UTF-8 is needed"),
    (b"\xfe\xff", "text in UTF-16; UTF-8 is needed"),
    (b"PK\x03\x04", "a zip archive"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x04\x22\x4d\x18", "LZ4"),
    (b"\x1f\x8b", "gzip in something that was packed already"),
    (
        b"\x28\xb5\x2f\xfd",
        "zstd in something that was packed already",
    ),
    (b"PAR1", "Parquet"),
];

/// Describes a JSON document without spans, as the end of a message.
pub(super) fn hint(json: &Json) -> &'static str {
    let has = |key| json.get(key).is_some();
    if json["context"].get("trace_id").is_some() || json["SpanContext"].get("TraceID").is_some() {
        // The console exporters of Python and Go.
        OF_A_CONSOLE
    } else if has("data") || has("traces") || has("batches") || has("trace") {
        "; this one looks like the answer of a backend's own API"
    } else if has("traceId") && has("id") {
        "; this one looks like one span of Zipkin's, which come in an array"
    } else if json.is_array() {
        "; this one is an array, and those of Zipkin JSON v2 hold spans with a \"traceId\""
    } else {
        ""
    }
}

const OF_A_CONSOLE: &str = "; this one is what the console exporter of an SDK prints for people, which is no \
     OTLP: use the SDK's OTLP exporter, with `tracelab sink` or the Collector's file exporter to receive it";

/// Describes a text that begins like JSON and is none, as the end of a message.
pub(super) fn hint_of_text(text: &[u8]) -> &'static str {
    // The console exporter of JavaScript prints objects in the notation of its language.
    let start = text[..text.len().min(4096)].utf8_chunks().next();
    let start = start.map_or("", |chunk| chunk.valid());
    let of_a_console = ["traceId: '", "traceFlags: ", "spanContext: "];
    match of_a_console.iter().any(|word| start.contains(word)) {
        true => OF_A_CONSOLE,
        false => "",
    }
}

/// Whether a byte is a control character that text files do not contain.
fn is_no_text(byte: u8) -> bool {
    byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')
}
