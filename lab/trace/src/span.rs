//! A span with all the data that OTLP has for it.

use std::{fmt, sync::Arc, time::Duration};

use crate::{Attributes, SpanId, Text, TraceId, Value};

/// One span, with the resource and the scope that it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The trace that it belongs to.
    pub trace_id: TraceId,
    /// Its own id. Not unique in a hostile trace: see [`crate::Trace`].
    pub span_id: SpanId,
    /// The parent span; `None` for a root.
    pub parent_span_id: Option<SpanId>,
    /// The W3C `tracestate` of the span.
    pub trace_state: Text,
    /// The W3C trace flags in the low 8 bits, and OTLP's own bits above them.
    pub flags: u32,
    /// Its name.
    pub name: Text,
    /// Its side of a call.
    pub kind: Kind,
    /// The start, in nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// The end, in nanoseconds since the Unix epoch. Earlier than the start in a hostile trace.
    pub end_ns: u64,
    /// The attributes of the span itself.
    pub attributes: Attributes,
    /// The number of attributes that the sender dropped.
    pub dropped_attributes: u32,
    /// Moments in the span.
    pub events: Vec<Event>,
    /// The number of events that the sender dropped.
    pub dropped_events: u32,
    /// References to other spans.
    pub links: Vec<Link>,
    /// The number of links that the sender dropped.
    pub dropped_links: u32,
    /// Its result.
    pub status: Status,
    /// The sender of the span: a service, a host.
    pub resource: Arc<Resource>,
    /// The instrumentation library that made the span.
    pub scope: Arc<Scope>,
    /// What the format that it was read from can hold.
    pub fidelity: Fidelity,
}

/// What the format that a span was read from can hold. What it cannot is unknown, and not wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fidelity {
    /// Every value with its type.
    #[default]
    Exact,
    /// Names of spans and services in lower case, and every value of an attribute as text; the resource has
    /// only the name of the service. So does Zipkin.
    Text,
}

/// The side of a call that a span is on (OTLP `SpanKind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The kind is unknown.
    Unspecified,
    /// Inside a service.
    Internal,
    /// Answers a request.
    Server,
    /// Makes a request.
    Client,
    /// Sends a message.
    Producer,
    /// Receives or processes a message.
    Consumer,
    /// A kind that OTLP does not have yet, by its number. Its name is that of an unspecified kind.
    Unknown(i32),
}

/// A moment in a span.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The time, in nanoseconds since the Unix epoch.
    pub time_ns: u64,
    /// Its name, such as `exception`.
    pub name: Text,
    /// Its attributes.
    pub attributes: Attributes,
    /// The number of attributes that the sender dropped.
    pub dropped_attributes: u32,
}

/// A reference to a span, of this trace or another.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The trace of the linked span.
    pub trace_id: TraceId,
    /// The id of the linked span.
    pub span_id: SpanId,
    /// Its `tracestate`.
    pub trace_state: Text,
    /// Its flags.
    pub flags: u32,
    /// The attributes of the link.
    pub attributes: Attributes,
    /// The number of attributes that the sender dropped.
    pub dropped_attributes: u32,
}

/// The result of a span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Unset, ok or error.
    pub code: StatusCode,
    /// The sender's description of an error; often empty.
    pub message: Text,
}

/// The code of a status (OTLP `StatusCode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StatusCode {
    /// No status was set: no error is known.
    #[default]
    Unset,
    /// The sender has explicitly marked success.
    Ok,
    /// The operation failed.
    Error,
    /// A code that OTLP does not have yet, by its number. Its name is that of an unset status.
    Unknown(i32),
}

/// The sender of a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// The attributes, such as `service.name`.
    pub attributes: Attributes,
    /// The number of attributes that the sender dropped.
    pub dropped_attributes: u32,
    /// The schema URL of the attributes.
    pub schema_url: String,
}

/// The instrumentation library that made a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// The name of the instrumentation library.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its attributes.
    pub attributes: Attributes,
    /// The number of attributes that the sender dropped.
    pub dropped_attributes: u32,
    /// The schema URL of the spans' attributes.
    pub schema_url: String,
}

// === impl Span ===

impl Span {
    /// The duration; zero if the span ended before it started.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.end_ns.saturating_sub(self.start_ns))
    }

    /// The `service.name` of its resource; `unknown_service` without one, as in the SDKs.
    pub fn service(&self) -> &str {
        self.resource
            .attributes
            .get("service.name")
            .and_then(Value::as_str)
            .unwrap_or("unknown_service")
    }

    /// Whether its status is error.
    pub fn is_error(&self) -> bool {
        self.status.code == StatusCode::Error
    }
}

// === impl Kind ===

impl Kind {
    /// The lower-case name in expectations and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Unspecified | Kind::Unknown(_) => "unspecified",
            Kind::Internal => "internal",
            Kind::Server => "server",
            Kind::Client => "client",
            Kind::Producer => "producer",
            Kind::Consumer => "consumer",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

// === impl StatusCode ===

impl StatusCode {
    /// The lower-case name in expectations and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            StatusCode::Unset | StatusCode::Unknown(_) => "unset",
            StatusCode::Ok => "ok",
            StatusCode::Error => "error",
        }
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
