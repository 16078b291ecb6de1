//! The messages of OTLP as tables: the name and the number of each field, and what it holds.
//!
//! They follow opentelemetry-proto 1.x (`trace.proto`, `logs.proto`, `metrics.proto`,
//! `common.proto`, `resource.proto`). A field that is not here is unknown, and is ignored.

/// A message.
pub(crate) struct Message(pub(crate) &'static [Field]);

impl Message {
    /// The field of this number. In most messages the fields are numbered from 1, without a gap.
    #[inline]
    pub(crate) fn field(&self, number: u32) -> Option<&'static Field> {
        match self.0.get((number as usize).wrapping_sub(1)) {
            Some(field) if field.number == number => Some(field),
            _ => self.0.iter().find(|field| field.number == number),
        }
    }
}

/// A field of a message.
pub(crate) struct Field {
    /// In lowerCamelCase, the spelling of OTLP/JSON.
    pub(crate) name: &'static str,
    pub(crate) number: u32,
    pub(crate) holds: Holds,
    pub(crate) repeated: bool,
    /// Whether OTLP/JSON that is written here has the field also where it holds its default.
    pub(crate) always: bool,
}

// === impl Field ===

impl Field {
    /// Whether a key of JSON names the field. OTLP/JSON knows lowerCamelCase alone; the JSON mapping of protobuf
    /// also has the names of the `.proto` files, as in `trace_id`. No two fields differ only in this.
    pub(crate) fn is_called(&self, key: &str) -> bool {
        self.name == key || (key.contains('_') && is_snake_case_of(key, self.name))
    }
}

/// Whether `snake` is `camel` with an underscore and a lower-case letter in place of each upper-case letter.
fn is_snake_case_of(snake: &str, camel: &str) -> bool {
    let mut rest = snake.bytes();
    let same = camel.bytes().all(|letter| match letter {
        b'A'..=b'Z' => {
            rest.next() == Some(b'_') && rest.next() == Some(letter.to_ascii_lowercase())
        }
        _ => rest.next() == Some(letter),
    });
    same && rest.next().is_none()
}

/// What a field holds.
#[derive(Clone, Copy)]
pub(crate) enum Holds {
    Text,
    Bool,
    Double,
    Int64,
    Sfixed64,
    Fixed64,
    Uint64,
    Uint32,
    Fixed32,
    Sint32,
    /// A number of dropped items: an unsigned 32-bit integer. Some senders write -1, which is read as none.
    Count,
    /// Trace and span ids of this number of bytes: hexadecimal in OTLP's JSON, base64 in protobuf's own JSON
    /// mapping.
    Id(usize),
    Base64,
    /// Its names, without what they all begin with, and their numbers.
    Enum(&'static Enum),
    Message(&'static Message),
}

/// An enum of OTLP.
pub(crate) struct Enum {
    /// What each of its names begins with.
    pub(crate) prefix: &'static str,
    /// The rest of its names, by number from zero.
    pub(crate) names: &'static [&'static str],
}

const fn one(name: &'static str, number: u32, holds: Holds) -> Field {
    Field {
        name,
        number,
        holds,
        repeated: false,
        always: false,
    }
}

const fn many(name: &'static str, number: u32, holds: Holds) -> Field {
    Field {
        name,
        number,
        holds,
        repeated: true,
        always: false,
    }
}

/// A field that is written also where it holds its default.
const fn always(field: Field) -> Field {
    Field {
        always: true,
        ..field
    }
}

use Holds::{
    Base64, Bool, Count, Double, Enum as EnumOf, Fixed32, Fixed64, Int64, Message as MessageOf,
    Sfixed64, Sint32, Text, Uint32, Uint64,
};

const TRACE_ID: Holds = Holds::Id(16);
const SPAN_ID: Holds = Holds::Id(8);

// === requests ===

pub(crate) static TRACES: Message =
    Message(&[always(many("resourceSpans", 1, MessageOf(&RESOURCE_SPANS)))]);
pub(crate) static LOGS: Message = Message(&[many("resourceLogs", 1, MessageOf(&RESOURCE_LOGS))]);
pub(crate) static METRICS: Message =
    Message(&[many("resourceMetrics", 1, MessageOf(&RESOURCE_METRICS))]);

// === common ===

pub(crate) static ANY_VALUE: Message = Message(&[
    one("stringValue", 1, Text),
    one("boolValue", 2, Bool),
    one("intValue", 3, Int64),
    one("doubleValue", 4, Double),
    one("arrayValue", 5, MessageOf(&ARRAY)),
    one("kvlistValue", 6, MessageOf(&MAP)),
    one("bytesValue", 7, Base64),
]);
static ARRAY: Message = Message(&[always(many("values", 1, MessageOf(&ANY_VALUE)))]);
static MAP: Message = Message(&[always(many("values", 1, MessageOf(&KEY_VALUE)))]);
pub(crate) static KEY_VALUE: Message = Message(&[
    always(one("key", 1, Text)),
    always(one("value", 2, MessageOf(&ANY_VALUE))),
]);
static RESOURCE: Message = Message(&[
    many("attributes", 1, MessageOf(&KEY_VALUE)),
    one("droppedAttributesCount", 2, Count),
]);
static SCOPE: Message = Message(&[
    one("name", 1, Text),
    one("version", 2, Text),
    many("attributes", 3, MessageOf(&KEY_VALUE)),
    one("droppedAttributesCount", 4, Count),
]);

// === traces ===

pub(crate) static RESOURCE_SPANS: Message = Message(&[
    always(one("resource", 1, MessageOf(&RESOURCE))),
    always(many("scopeSpans", 2, MessageOf(&SCOPE_SPANS))),
    one("schemaUrl", 3, Text),
]);
pub(crate) static SCOPE_SPANS: Message = Message(&[
    always(one("scope", 1, MessageOf(&SCOPE))),
    always(many("spans", 2, MessageOf(&SPAN))),
    one("schemaUrl", 3, Text),
]);
pub(crate) static SPAN: Message = Message(&[
    one("traceId", 1, TRACE_ID),
    one("spanId", 2, SPAN_ID),
    one("traceState", 3, Text),
    one("parentSpanId", 4, SPAN_ID),
    always(one("name", 5, Text)),
    one("kind", 6, EnumOf(&SPAN_KIND)),
    always(one("startTimeUnixNano", 7, Fixed64)),
    always(one("endTimeUnixNano", 8, Fixed64)),
    many("attributes", 9, MessageOf(&KEY_VALUE)),
    one("droppedAttributesCount", 10, Count),
    many("events", 11, MessageOf(&EVENT)),
    one("droppedEventsCount", 12, Count),
    many("links", 13, MessageOf(&LINK)),
    one("droppedLinksCount", 14, Count),
    always(one("status", 15, MessageOf(&STATUS))),
    one("flags", 16, Fixed32),
]);
pub(crate) static EVENT: Message = Message(&[
    always(one("timeUnixNano", 1, Fixed64)),
    always(one("name", 2, Text)),
    many("attributes", 3, MessageOf(&KEY_VALUE)),
    one("droppedAttributesCount", 4, Count),
]);
pub(crate) static LINK: Message = Message(&[
    one("traceId", 1, TRACE_ID),
    one("spanId", 2, SPAN_ID),
    one("traceState", 3, Text),
    many("attributes", 4, MessageOf(&KEY_VALUE)),
    one("droppedAttributesCount", 5, Count),
    one("flags", 6, Fixed32),
]);
pub(crate) static STATUS: Message = Message(&[
    one("message", 2, Text),
    one("code", 3, EnumOf(&STATUS_CODE)),
]);
static SPAN_KIND: Enum = Enum {
    prefix: "SPAN_KIND_",
    names: &[
        "UNSPECIFIED",
        "INTERNAL",
        "SERVER",
        "CLIENT",
        "PRODUCER",
        "CONSUMER",
    ],
};
static STATUS_CODE: Enum = Enum {
    prefix: "STATUS_CODE_",
    names: &["UNSET", "OK", "ERROR"],
};

// === logs ===

static RESOURCE_LOGS: Message = Message(&[
    one("resource", 1, MessageOf(&RESOURCE)),
    many("scopeLogs", 2, MessageOf(&SCOPE_LOGS)),
    one("schemaUrl", 3, Text),
]);
static SCOPE_LOGS: Message = Message(&[
    one("scope", 1, MessageOf(&SCOPE)),
    many("logRecords", 2, MessageOf(&LOG_RECORD)),
    one("schemaUrl", 3, Text),
]);
static LOG_RECORD: Message = Message(&[
    one("timeUnixNano", 1, Fixed64),
    one("severityNumber", 2, EnumOf(&SEVERITY)),
    one("severityText", 3, Text),
    one("body", 5, MessageOf(&ANY_VALUE)),
    many("attributes", 6, MessageOf(&KEY_VALUE)),
    one("droppedAttributesCount", 7, Count),
    one("flags", 8, Fixed32),
    one("traceId", 9, TRACE_ID),
    one("spanId", 10, SPAN_ID),
    one("observedTimeUnixNano", 11, Fixed64),
    one("eventName", 12, Text),
]);
#[rustfmt::skip]
static SEVERITY: Enum = Enum {
    prefix: "SEVERITY_NUMBER_",
    names: &[
        "UNSPECIFIED",
        "TRACE", "TRACE2", "TRACE3", "TRACE4", "DEBUG", "DEBUG2", "DEBUG3", "DEBUG4",
        "INFO", "INFO2", "INFO3", "INFO4", "WARN", "WARN2", "WARN3", "WARN4",
        "ERROR", "ERROR2", "ERROR3", "ERROR4", "FATAL", "FATAL2", "FATAL3", "FATAL4",
    ],
};

// === metrics ===

static RESOURCE_METRICS: Message = Message(&[
    one("resource", 1, MessageOf(&RESOURCE)),
    many("scopeMetrics", 2, MessageOf(&SCOPE_METRICS)),
    one("schemaUrl", 3, Text),
]);
static SCOPE_METRICS: Message = Message(&[
    one("scope", 1, MessageOf(&SCOPE)),
    many("metrics", 2, MessageOf(&METRIC)),
    one("schemaUrl", 3, Text),
]);
static METRIC: Message = Message(&[
    one("name", 1, Text),
    one("description", 2, Text),
    one("unit", 3, Text),
    one("gauge", 5, MessageOf(&GAUGE)),
    one("sum", 7, MessageOf(&SUM)),
    one("histogram", 9, MessageOf(&HISTOGRAM)),
    one(
        "exponentialHistogram",
        10,
        MessageOf(&EXPONENTIAL_HISTOGRAM),
    ),
    one("summary", 11, MessageOf(&SUMMARY)),
    many("metadata", 12, MessageOf(&KEY_VALUE)),
]);
static GAUGE: Message = Message(&[many("dataPoints", 1, MessageOf(&NUMBER_POINT))]);
static SUM: Message = Message(&[
    many("dataPoints", 1, MessageOf(&NUMBER_POINT)),
    one("aggregationTemporality", 2, EnumOf(&TEMPORALITY)),
    one("isMonotonic", 3, Bool),
]);
static HISTOGRAM: Message = Message(&[
    many("dataPoints", 1, MessageOf(&HISTOGRAM_POINT)),
    one("aggregationTemporality", 2, EnumOf(&TEMPORALITY)),
]);
static EXPONENTIAL_HISTOGRAM: Message = Message(&[
    many("dataPoints", 1, MessageOf(&EXPONENTIAL_POINT)),
    one("aggregationTemporality", 2, EnumOf(&TEMPORALITY)),
]);
static SUMMARY: Message = Message(&[many("dataPoints", 1, MessageOf(&SUMMARY_POINT))]);
static TEMPORALITY: Enum = Enum {
    prefix: "AGGREGATION_TEMPORALITY_",
    names: &["UNSPECIFIED", "DELTA", "CUMULATIVE"],
};
static NUMBER_POINT: Message = Message(&[
    one("startTimeUnixNano", 2, Fixed64),
    one("timeUnixNano", 3, Fixed64),
    one("asDouble", 4, Double),
    many("exemplars", 5, MessageOf(&EXEMPLAR)),
    one("asInt", 6, Sfixed64),
    many("attributes", 7, MessageOf(&KEY_VALUE)),
    one("flags", 8, Uint32),
]);
static HISTOGRAM_POINT: Message = Message(&[
    one("startTimeUnixNano", 2, Fixed64),
    one("timeUnixNano", 3, Fixed64),
    one("count", 4, Fixed64),
    one("sum", 5, Double),
    many("bucketCounts", 6, Fixed64),
    many("explicitBounds", 7, Double),
    many("exemplars", 8, MessageOf(&EXEMPLAR)),
    many("attributes", 9, MessageOf(&KEY_VALUE)),
    one("flags", 10, Uint32),
    one("min", 11, Double),
    one("max", 12, Double),
]);
static EXPONENTIAL_POINT: Message = Message(&[
    many("attributes", 1, MessageOf(&KEY_VALUE)),
    one("startTimeUnixNano", 2, Fixed64),
    one("timeUnixNano", 3, Fixed64),
    one("count", 4, Fixed64),
    one("sum", 5, Double),
    one("scale", 6, Sint32),
    one("zeroCount", 7, Fixed64),
    one("positive", 8, MessageOf(&BUCKETS)),
    one("negative", 9, MessageOf(&BUCKETS)),
    one("flags", 10, Uint32),
    many("exemplars", 11, MessageOf(&EXEMPLAR)),
    one("min", 12, Double),
    one("max", 13, Double),
    one("zeroThreshold", 14, Double),
]);
static BUCKETS: Message = Message(&[one("offset", 1, Sint32), many("bucketCounts", 2, Uint64)]);
static SUMMARY_POINT: Message = Message(&[
    one("startTimeUnixNano", 2, Fixed64),
    one("timeUnixNano", 3, Fixed64),
    one("count", 4, Fixed64),
    one("sum", 5, Double),
    many("quantileValues", 6, MessageOf(&QUANTILE)),
    many("attributes", 7, MessageOf(&KEY_VALUE)),
    one("flags", 8, Uint32),
]);
static QUANTILE: Message = Message(&[one("quantile", 1, Double), one("value", 2, Double)]);
static EXEMPLAR: Message = Message(&[
    one("timeUnixNano", 2, Fixed64),
    one("asDouble", 3, Double),
    one("spanId", 4, SPAN_ID),
    one("traceId", 5, TRACE_ID),
    one("asInt", 6, Sfixed64),
    many("filteredAttributes", 7, MessageOf(&KEY_VALUE)),
]);
