//! Which kind of document a JSON value is, by its fields.

use std::borrow::Cow;

use serde_json::{Value as Json, json};

/// A kind of JSON document.
pub(super) enum Shape<'a> {
    /// OTLP/JSON of traces: `{"resourceSpans": […]}`.
    Traces(Cow<'a, Json>),
    /// OTLP/JSON of another signal, by its name.
    Signal(&'static str),
    /// An array of documents.
    Several(&'a [Json]),
    /// None of these.
    Unknown,
}

/// Recognizes a document that is neither Jaeger's nor Zipkin's.
///
/// | document | written by |
/// | --- | --- |
/// | `{"resourceSpans": […]}` | exporters, the Collector |
/// | `{"scopeSpans": […]}`, one `ResourceSpans` | the logging exporter of Java |
/// | `{"result": {"resourceSpans": […]}}` | Jaeger's API v3 |
/// | `{"batches": […]}`, `{"trace": {…}}` | Tempo's API, versions 1 and 2 |
pub(super) fn of(json: &Json) -> Shape<'_> {
    if let Json::Array(items) = json {
        let all = !items.is_empty() && items.iter().all(is_document);
        return if all {
            Shape::Several(items)
        } else {
            Shape::Unknown
        };
    }
    let inner = ["result", "trace"].into_iter().find_map(|field| {
        let inner = json.get(field)?;
        has(inner, &TRACES).then_some(inner)
    });
    let json = inner.unwrap_or(json);
    if has(json, &["resourceSpans", "resource_spans"]) {
        Shape::Traces(Cow::Borrowed(json))
    } else if let Some(batches) = json.get("batches").filter(|batches| holds_batches(batches)) {
        Shape::Traces(Cow::Owned(json!({ "resourceSpans": batches })))
    } else if has(json, &RESOURCE_SPANS) {
        Shape::Traces(Cow::Owned(json!({ "resourceSpans": [json] })))
    } else if has(
        json,
        &["resourceLogs", "resource_logs", "scopeLogs", "scope_logs"],
    ) {
        Shape::Signal("logs")
    } else if has(json, &METRICS) {
        Shape::Signal("metrics")
    } else if has(json, &["resourceProfiles", "resource_profiles"]) {
        Shape::Signal("profiles")
    } else {
        Shape::Unknown
    }
}

const TRACES: [&str; 3] = ["resourceSpans", "resource_spans", "batches"];
const RESOURCE_SPANS: [&str; 4] = [
    "scopeSpans",
    "scope_spans",
    "instrumentationLibrarySpans",
    "instrumentation_library_spans",
];
const METRICS: [&str; 4] = [
    "resourceMetrics",
    "resource_metrics",
    "scopeMetrics",
    "scope_metrics",
];

/// Whether a backend says that a trace is partial: Tempo, `"status": "PARTIAL"`.
pub(super) fn is_partial(json: &Json) -> bool {
    json["status"] == "PARTIAL" || json["status"] == 1 && json.get("trace").is_some()
}

fn has(json: &Json, fields: &[&str]) -> bool {
    fields.iter().any(|field| json.get(field).is_some())
}

/// Whether these are batches of spans: another API may use the word.
fn holds_batches(json: &Json) -> bool {
    json.as_array()
        .is_some_and(|batches| batches.iter().all(|batch| has(batch, &RESOURCE_SPANS)))
}

fn is_document(json: &Json) -> bool {
    json.is_object() && (crate::jaeger::is_one(json) || !matches!(of(json), Shape::Unknown))
}
