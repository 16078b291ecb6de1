//! Traces, written down as a table.

use std::sync::Arc;

use diagnose::{Diagnosis, THRESHOLDS, diagnose};
use trace::{
    Attributes, Event, Kind, Link, Resource, Scope, Span, SpanId, Status, StatusCode, Trace,
    TraceId, Value,
};

/// When everything begins, in nanoseconds since the Unix epoch.
const BEGIN: u64 = 1_764_000_000_000_000_000;

/// A trace that is being made.
pub(crate) struct Make {
    number: u64,
    spans: Vec<Span>,
}

/// So many milliseconds after the beginning, in nanoseconds since the Unix epoch.
pub(crate) fn ms(ms: f64) -> u64 {
    BEGIN + (ms * 1e6) as u64
}

// === impl Make ===

impl Make {
    pub(crate) fn trace(number: u64) -> Make {
        Make {
            number,
            spans: Vec::new(),
        }
    }

    /// A span from one millisecond to another; parent 0 is none.
    pub(crate) fn span(
        &mut self,
        (id, parent): (u64, u64),
        service: &str,
        kind: Kind,
        name: &str,
        (from, to): (f64, f64),
    ) -> &mut Span {
        self.spans.push(Span {
            trace_id: self.id(),
            span_id: self.span_id(id),
            parent_span_id: (parent > 0).then(|| self.span_id(parent)),
            trace_state: String::new(),
            flags: 1,
            name: name.to_owned(),
            kind,
            start_ns: ms(from),
            end_ns: ms(to),
            attributes: Attributes::default(),
            dropped_attributes: 0,
            events: Vec::new(),
            dropped_events: 0,
            links: Vec::new(),
            dropped_links: 0,
            status: Status::default(),
            resource: Arc::new(Resource {
                attributes: Attributes(vec![("service.name".to_owned(), Value::from(service))]),
                ..Resource::default()
            }),
            scope: Arc::new(Scope::default()),
        });
        self.spans.last_mut().unwrap()
    }

    pub(crate) fn id(&self) -> TraceId {
        let mut bytes = [7; 16];
        bytes[8..].copy_from_slice(&self.number.to_be_bytes());
        TraceId::from_bytes(bytes).unwrap()
    }

    pub(crate) fn span_id(&self, id: u64) -> SpanId {
        SpanId::from_bytes((self.number << 32 | id).to_be_bytes()).unwrap()
    }

    pub(crate) fn done(self) -> Trace {
        Trace::new(self.id(), self.spans)
    }
}

/// What can be said of a span.
pub(crate) trait Say {
    fn with(&mut self, key: &str, value: impl Into<Value>) -> &mut Self;
    fn fails(&mut self, message: &str) -> &mut Self;
    fn throws(&mut self, kind: &str, message: &str) -> &mut Self;
    fn links_to(&mut self, trace_id: TraceId, span_id: SpanId) -> &mut Self;
    fn query(&mut self, text: &str) -> &mut Self {
        self.with("db.system.name", "postgresql")
            .with("db.query.text", text)
    }
    fn get(&mut self, url: &str, status: i64) -> &mut Self {
        self.with("http.request.method", "GET")
            .with("url.full", url)
            .with("http.response.status_code", status)
    }
}

impl Say for Span {
    fn with(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        self.attributes.0.push((key.to_owned(), value.into()));
        self
    }

    fn fails(&mut self, message: &str) -> &mut Self {
        self.status = Status {
            code: StatusCode::Error,
            message: message.to_owned(),
        };
        self
    }

    fn throws(&mut self, kind: &str, message: &str) -> &mut Self {
        self.events.push(Event {
            time_ns: self.end_ns,
            name: "exception".to_owned(),
            attributes: [("exception.type", kind), ("exception.message", message)]
                .into_iter()
                .collect(),
            dropped_attributes: 0,
        });
        self.fails(message)
    }

    fn links_to(&mut self, trace_id: TraceId, span_id: SpanId) -> &mut Self {
        self.links.push(Link {
            trace_id,
            span_id,
            trace_state: String::new(),
            flags: 0,
            attributes: Attributes::default(),
            dropped_attributes: 0,
        });
        self
    }
}

/// The names of the findings of each trace.
pub(crate) fn names(traces: &[Trace]) -> Vec<Vec<&'static str>> {
    all(traces).iter().map(names_of).collect()
}

pub(crate) fn all(traces: &[Trace]) -> Vec<Diagnosis<'_>> {
    diagnose(traces, &[], &THRESHOLDS)
}

pub(crate) fn names_of(diagnosis: &Diagnosis<'_>) -> Vec<&'static str> {
    diagnosis
        .findings
        .iter()
        .map(|finding| finding.rule.name)
        .collect()
}

/// The findings of one trace.
pub(crate) fn found(make: Make) -> Vec<&'static str> {
    names(&[make.done()]).remove(0)
}
