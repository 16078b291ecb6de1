//! OTLP/JSON (OTLP specification, "JSON Protobuf Encoding"), in and out.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource,
    trace::v1 as proto,
};
use serde_json::{Map, Value as Json, json};

use crate::{
    error::DecodeError,
    mend::{self, Graft, Read},
    parse::parse,
    schema, transcode,
};

/// Reads the request that an OTLP/JSON document of traces stands for: `{"resourceSpans": […]}`.
///
/// # Errors
///
/// When the text is no JSON, or something in it is not what OTLP has in that place.
pub fn traces_from_json(text: &[u8]) -> Result<Read<ExportTraceServiceRequest>, DecodeError> {
    let (json, replaced) = parse(text)?;
    Ok(Read {
        replaced,
        ..traces_from_value(&json)?
    })
}

/// Reads like [`traces_from_json`] a document that was parsed already.
///
/// # Errors
///
/// When something in it is not what OTLP has in that place.
pub fn traces_from_value(json: &Json) -> Result<Read<ExportTraceServiceRequest>, DecodeError> {
    Ok(Read {
        library_spans: library_spans(json),
        ..request(json, &schema::TRACES)?
    })
}

/// Reads the request that an OTLP/JSON document of logs stands for.
///
/// # Errors
///
/// As of [`traces_from_json`].
pub fn logs_from_json(text: &[u8]) -> Result<Read<ExportLogsServiceRequest>, DecodeError> {
    let (json, replaced) = parse(text)?;
    Ok(Read {
        replaced,
        ..request(&json, &schema::LOGS)?
    })
}

/// Reads the request that an OTLP/JSON document of metrics stands for.
///
/// # Errors
///
/// As of [`traces_from_json`].
pub fn metrics_from_json(text: &[u8]) -> Result<Read<ExportMetricsServiceRequest>, DecodeError> {
    let (json, replaced) = parse(text)?;
    Ok(Read {
        replaced,
        ..request(&json, &schema::METRICS)?
    })
}

/// A request of traces as an OTLP/JSON document. Fields that have their default are left out.
pub fn traces_to_json(request: &ExportTraceServiceRequest) -> Json {
    let groups = &request.resource_spans;
    json!({ "resourceSpans": groups.iter().map(resource_spans).collect::<Vec<_>>() })
}

fn request<M: prost::Message + Default + Graft>(
    json: &Json,
    message: &'static schema::Message,
) -> Result<Read<M>, DecodeError> {
    mend::decode(&transcode::to_protobuf(json, message)?, message)
}

/// Counts the spans below `instrumentationLibrarySpans`.
fn library_spans(json: &Json) -> usize {
    const OLD: [&str; 2] = [
        "instrumentationLibrarySpans",
        "instrumentation_library_spans",
    ];
    items(json.get("resourceSpans"))
        .flat_map(|resource| {
            OLD.map(|old| items(resource.get(old)))
                .into_iter()
                .flatten()
        })
        .map(|library| items(library.get("spans")).count())
        .sum()
}

fn items(json: Option<&Json>) -> impl Iterator<Item = &Json> {
    json.and_then(Json::as_array).into_iter().flatten()
}

/// An object that is filled field by field, leaving out what protobuf would leave out.
#[derive(Default)]
struct Object(Map<String, Json>);

impl Object {
    fn always(mut self, key: &str, value: impl Into<Json>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    fn text(self, key: &str, text: &str) -> Self {
        if text.is_empty() {
            self
        } else {
            self.always(key, text)
        }
    }

    fn number(self, key: &str, number: impl Into<i64>) -> Self {
        match number.into() {
            0 => self,
            number => self.always(key, number),
        }
    }

    fn hex(self, key: &str, bytes: &[u8]) -> Self {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.text(key, &digits)
    }

    fn list<T>(self, key: &str, items: &[T], each: impl Fn(&T) -> Json) -> Self {
        if items.is_empty() {
            self
        } else {
            self.always(key, items.iter().map(each).collect::<Vec<_>>())
        }
    }

    fn done(self) -> Json {
        Json::Object(self.0)
    }
}

fn resource_spans(group: &proto::ResourceSpans) -> Json {
    Object::default()
        .always("resource", resource(group.resource.as_ref()))
        .always(
            "scopeSpans",
            group
                .scope_spans
                .iter()
                .map(scope_spans)
                .collect::<Vec<_>>(),
        )
        .text("schemaUrl", &group.schema_url)
        .done()
}

fn resource(resource: Option<&Resource>) -> Json {
    let Some(resource) = resource else {
        return json!({});
    };
    Object::default()
        .list("attributes", &resource.attributes, key_value)
        .number("droppedAttributesCount", resource.dropped_attributes_count)
        .done()
}

fn scope_spans(group: &proto::ScopeSpans) -> Json {
    Object::default()
        .always("scope", scope(group.scope.as_ref()))
        .always("spans", group.spans.iter().map(span).collect::<Vec<_>>())
        .text("schemaUrl", &group.schema_url)
        .done()
}

fn scope(scope: Option<&InstrumentationScope>) -> Json {
    let Some(scope) = scope else { return json!({}) };
    Object::default()
        .text("name", &scope.name)
        .text("version", &scope.version)
        .list("attributes", &scope.attributes, key_value)
        .number("droppedAttributesCount", scope.dropped_attributes_count)
        .done()
}

fn span(span: &proto::Span) -> Json {
    Object::default()
        .hex("traceId", &span.trace_id)
        .hex("spanId", &span.span_id)
        .text("traceState", &span.trace_state)
        .hex("parentSpanId", &span.parent_span_id)
        .number("flags", span.flags)
        .always("name", span.name.as_str())
        .number("kind", span.kind)
        .always("startTimeUnixNano", span.start_time_unix_nano.to_string())
        .always("endTimeUnixNano", span.end_time_unix_nano.to_string())
        .list("attributes", &span.attributes, key_value)
        .number("droppedAttributesCount", span.dropped_attributes_count)
        .list("events", &span.events, event)
        .number("droppedEventsCount", span.dropped_events_count)
        .list("links", &span.links, link)
        .number("droppedLinksCount", span.dropped_links_count)
        .always("status", status(span.status.as_ref()))
        .done()
}

fn event(event: &proto::span::Event) -> Json {
    Object::default()
        .always("timeUnixNano", event.time_unix_nano.to_string())
        .always("name", event.name.as_str())
        .list("attributes", &event.attributes, key_value)
        .number("droppedAttributesCount", event.dropped_attributes_count)
        .done()
}

fn link(link: &proto::span::Link) -> Json {
    Object::default()
        .hex("traceId", &link.trace_id)
        .hex("spanId", &link.span_id)
        .text("traceState", &link.trace_state)
        .list("attributes", &link.attributes, key_value)
        .number("droppedAttributesCount", link.dropped_attributes_count)
        .number("flags", link.flags)
        .done()
}

fn status(status: Option<&proto::Status>) -> Json {
    let Some(status) = status else {
        return json!({});
    };
    Object::default()
        .text("message", &status.message)
        .number("code", status.code)
        .done()
}

fn key_value(pair: &KeyValue) -> Json {
    json!({ "key": pair.key, "value": value(pair.value.as_ref()) })
}

fn value(value: Option<&AnyValue>) -> Json {
    match value.and_then(|any| any.value.as_ref()) {
        None | Some(any_value::Value::StringValueStrindex(_)) => json!({}),
        Some(any_value::Value::StringValue(text)) => json!({ "stringValue": text }),
        Some(any_value::Value::BoolValue(truth)) => json!({ "boolValue": truth }),
        Some(any_value::Value::IntValue(number)) => json!({ "intValue": number.to_string() }),
        Some(any_value::Value::DoubleValue(number)) => json!({ "doubleValue": double(*number) }),
        Some(any_value::Value::BytesValue(bytes)) => {
            json!({ "bytesValue": STANDARD.encode(bytes) })
        }
        Some(any_value::Value::ArrayValue(array)) => {
            let values: Vec<_> = array
                .values
                .iter()
                .map(|any| self::value(Some(any)))
                .collect();
            json!({ "arrayValue": { "values": values } })
        }
        Some(any_value::Value::KvlistValue(map)) => {
            let values: Vec<_> = map.values.iter().map(key_value).collect();
            json!({ "kvlistValue": { "values": values } })
        }
    }
}

/// JSON has no number for these three; the JSON mapping of protobuf gives them names.
fn double(number: f64) -> Json {
    if number.is_nan() {
        "NaN".into()
    } else if number == f64::INFINITY {
        "Infinity".into()
    } else if number == f64::NEG_INFINITY {
        "-Infinity".into()
    } else {
        number.into()
    }
}
