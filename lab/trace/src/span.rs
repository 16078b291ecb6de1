//! A span with everything that OTLP says of it.

use std::{fmt, sync::Arc, time::Duration};

use crate::{Attributes, SpanId, TraceId, Value};

/// One span, with the resource and the scope that it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The trace that it belongs to.
    pub trace_id: TraceId,
    /// Its own id. Not unique in a hostile trace: see [`crate::Trace`].
    pub span_id: SpanId,
    /// The span that it is a child of; a root has none.
    pub parent_span_id: Option<SpanId>,
    /// The W3C `tracestate` that it was sent with.
    pub trace_state: String,
    /// The W3C trace flags in the low 8 bits, and OTLP's own bits above them.
    pub flags: u32,
    /// Its name.
    pub name: String,
    /// Which side of a call it is.
    pub kind: Kind,
    /// Nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// Nanoseconds since the Unix epoch. Earlier than the start in a hostile trace.
    pub end_ns: u64,
    /// The attributes of the span itself.
    pub attributes: Attributes,
    /// How many attributes the sender had to drop.
    pub dropped_attributes: u32,
    /// What happened at one moment of it.
    pub events: Vec<Event>,
    /// How many events the sender had to drop.
    pub dropped_events: u32,
    /// Other spans that it has to do with.
    pub links: Vec<Link>,
    /// How many links the sender had to drop.
    pub dropped_links: u32,
    /// How it ended.
    pub status: Status,
    /// What sent it: a service, a host.
    pub resource: Arc<Resource>,
    /// What made it: an instrumentation library.
    pub scope: Arc<Scope>,
}

/// Which side of a call a span is (OTLP `SpanKind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Not said.
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
}

/// A moment in a span.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Nanoseconds since the Unix epoch.
    pub time_ns: u64,
    /// Its name, such as `exception`.
    pub name: String,
    /// Its attributes.
    pub attributes: Attributes,
    /// How many attributes the sender had to drop.
    pub dropped_attributes: u32,
}

/// A reference to a span, of this trace or another.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The trace of the span that is linked to.
    pub trace_id: TraceId,
    /// The span that is linked to.
    pub span_id: SpanId,
    /// Its `tracestate`.
    pub trace_state: String,
    /// Its flags.
    pub flags: u32,
    /// The attributes of the link.
    pub attributes: Attributes,
    /// How many attributes the sender had to drop.
    pub dropped_attributes: u32,
}

/// How a span ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Unset, ok or error.
    pub code: StatusCode,
    /// What the sender said of an error; often empty.
    pub message: String,
}

/// The code of a status (OTLP `StatusCode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StatusCode {
    /// Nothing was said: no error is known.
    #[default]
    Unset,
    /// Someone vouched that it went well.
    Ok,
    /// It failed.
    Error,
}

/// What sent a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// Such as `service.name`.
    pub attributes: Attributes,
    /// How many attributes the sender had to drop.
    pub dropped_attributes: u32,
    /// The schema of the attributes.
    pub schema_url: String,
}

/// What made a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// The name of the instrumentation library.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its attributes.
    pub attributes: Attributes,
    /// How many attributes the sender had to drop.
    pub dropped_attributes: u32,
    /// The schema of the spans' attributes.
    pub schema_url: String,
}

// === impl Span ===

impl Span {
    /// How long it took; zero if it ended before it started.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.end_ns.saturating_sub(self.start_ns))
    }

    /// The `service.name` of its resource, or `unknown_service` as the SDKs say.
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
    /// The word that expectations and JSON use: lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Unspecified => "unspecified",
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
    /// The word that expectations and JSON use: lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            StatusCode::Unset => "unset",
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
