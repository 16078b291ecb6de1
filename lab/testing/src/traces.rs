//! Builds traces span by span, as a table that a test writes down.
//!
//! ```
//! use testing::traces::{SpanExt, TraceBuilder};
//! use trace::Kind::{Client, Server};
//!
//! let mut order = TraceBuilder::new(1);
//! order.span((1, 0), "shop", Server, "GET /orders", (0.0, 10.0));
//! order
//!     .span((2, 1), "shop", Client, "SELECT orders", (1.0, 9.0))
//!     .query("SELECT id FROM orders");
//! assert_eq!(order.build().spans().len(), 2);
//! ```

use trace::{Kind, Span, SpanId, Status, StatusCode, Trace, TraceId, Value};

use crate::spans::{bare, event, link_to, resource};

/// When the spans of a [`TraceBuilder`] begin, in nanoseconds since the Unix epoch.
const BEGIN: u64 = 1_764_000_000_000_000_000;

/// A trace that is being built. Its number tells it from the other traces of a test.
pub struct TraceBuilder {
    number: u64,
    spans: Vec<Span>,
}

/// A time in milliseconds from the beginning of the traces, in nanoseconds since the Unix epoch.
pub fn at_ms(ms: f64) -> u64 {
    BEGIN + (ms * 1e6) as u64
}

/// The id of the trace of a number.
pub fn trace_id(number: u64) -> TraceId {
    let mut bytes = [7; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    TraceId::from_bytes(bytes).unwrap()
}

/// The id of span `id` in the trace of a number; one of the two is not 0.
pub fn span_id(number: u64, id: u64) -> SpanId {
    SpanId::from_bytes((number << 32 | id).to_be_bytes()).unwrap()
}

// === impl TraceBuilder ===

impl TraceBuilder {
    /// Begins the trace of a number.
    pub fn new(number: u64) -> TraceBuilder {
        TraceBuilder {
            number,
            spans: Vec::new(),
        }
    }

    /// Adds a span from one millisecond to another; parent 0 is none.
    pub fn span(
        &mut self,
        (id, parent): (u64, u64),
        service: &str,
        kind: Kind,
        name: &str,
        (from, to): (f64, f64),
    ) -> &mut Span {
        let above = (parent > 0).then(|| self.span_id(parent));
        self.spans.push(Span {
            start_ns: at_ms(from),
            end_ns: at_ms(to),
            resource: resource([("service.name", service)]),
            ..bare(self.id(), self.span_id(id), above, name, kind)
        });
        self.spans.last_mut().unwrap()
    }

    /// The id of the trace.
    pub fn id(&self) -> TraceId {
        trace_id(self.number)
    }

    /// The id of span `id` of the trace.
    pub fn span_id(&self, id: u64) -> SpanId {
        span_id(self.number, id)
    }

    /// The trace of the spans that were added.
    pub fn build(self) -> Trace {
        Trace::new(self.id(), self.spans)
    }
}

/// What a test says of a span.
pub trait SpanExt {
    /// Adds an attribute.
    fn with(&mut self, key: &str, value: impl Into<Value>) -> &mut Self;

    /// Sets the status to an error with this message.
    fn fails(&mut self, message: &str) -> &mut Self;

    /// Adds an exception at the end of the span, and fails with its message.
    fn throws(&mut self, kind: &str, message: &str) -> &mut Self;

    /// Adds a link to a span.
    fn links_to(&mut self, trace_id: TraceId, span_id: SpanId) -> &mut Self;

    /// Makes the span a statement of PostgreSQL.
    fn query(&mut self, text: &str) -> &mut Self {
        self.with("db.system.name", "postgresql")
            .with("db.query.text", text)
    }

    /// Makes the span a `GET` that was answered with a status.
    fn get(&mut self, url: &str, status: i64) -> &mut Self {
        self.with("http.request.method", "GET")
            .with("url.full", url)
            .with("http.response.status_code", status)
    }
}

// === impl Span ===

impl SpanExt for Span {
    fn with(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        self.attributes.0.push((key.into(), value.into()));
        self
    }

    fn fails(&mut self, message: &str) -> &mut Self {
        self.status = Status {
            code: StatusCode::Error,
            message: message.into(),
        };
        self
    }

    fn throws(&mut self, kind: &str, message: &str) -> &mut Self {
        let said = [("exception.type", kind), ("exception.message", message)];
        self.events.push(event(self.end_ns, "exception", said));
        self.fails(message)
    }

    fn links_to(&mut self, trace_id: TraceId, span_id: SpanId) -> &mut Self {
        self.links.push(link_to(trace_id, span_id));
        self
    }
}
