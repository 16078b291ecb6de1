//! [`Maker`]: ids and plain spans for the cases.

use std::sync::Arc;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use trace::{
    Attributes, Event, Fidelity, Kind, Link, Resource, Scope, Span, SpanId, Status, Text, TraceId,
    Value,
};

/// Makes ids and plain spans.
#[derive(Debug)]
pub struct Maker {
    random: StdRng,
    /// The start of the spans of a case, in nanoseconds since the Unix epoch.
    now_ns: u64,
}

/// A millisecond, in nanoseconds.
pub(super) const MS: u64 = 1_000_000;

/// The service of every plain span.
pub(super) const SERVICE: &str = "fidelity";

// === impl Maker ===

impl Maker {
    /// A maker whose ids follow from the seed, and whose spans start at `now_ns`, cut to a millisecond.
    pub fn new(seed: u64, now_ns: u64) -> Maker {
        Maker {
            random: StdRng::seed_from_u64(seed),
            now_ns: now_ns - now_ns % MS,
        }
    }

    /// The start of plain spans.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// A new trace id, whose upper half is not zero.
    pub fn trace_id(&mut self) -> TraceId {
        let (high, low): (u64, u64) = (
            self.random.random::<u64>() | 1,
            self.random.random::<u64>() | 1,
        );
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        bytes[8..].copy_from_slice(&low.to_be_bytes());
        TraceId::from_bytes(bytes).expect("it is not zero")
    }

    /// A new span id.
    pub fn span_id(&mut self) -> SpanId {
        let id = self.random.random::<u64>() | 1;
        SpanId::from_bytes(id.to_be_bytes()).expect("it is not zero")
    }

    /// A plain span that is the root of a new trace: 50 ms long.
    pub fn root(&mut self) -> Span {
        let trace_id = self.trace_id();
        Span {
            trace_id,
            span_id: self.span_id(),
            parent_span_id: None,
            trace_state: Text::default(),
            flags: 0,
            name: "get /fidelity".into(),
            kind: Kind::Server,
            start_ns: self.now_ns,
            end_ns: self.now_ns + 50 * MS,
            attributes: Attributes::default(),
            dropped_attributes: 0,
            events: Vec::new(),
            dropped_events: 0,
            links: Vec::new(),
            dropped_links: 0,
            status: Status::default(),
            resource: resource(SERVICE),
            scope: Arc::new(Scope {
                name: "validate".to_owned(),
                version: "1".to_owned(),
                ..Scope::default()
            }),
            fidelity: Fidelity::Exact,
        }
    }

    /// A plain child of a span: a call of 10 ms that starts `at_ms` after the start of plain spans.
    pub fn child(&mut self, parent: &Span, name: &str, at_ms: u64) -> Span {
        Span {
            span_id: self.span_id(),
            parent_span_id: Some(parent.span_id),
            name: name.into(),
            kind: Kind::Client,
            start_ns: self.now_ns + at_ms * MS,
            end_ns: self.now_ns + (at_ms + 10) * MS,
            ..parent.clone()
        }
    }

    /// A plain event, `at_ms` after the start of plain spans.
    pub(super) fn event(&self, name: &str, at_ms: u64) -> Event {
        Event {
            time_ns: self.now_ns + at_ms * MS,
            name: name.into(),
            attributes: Attributes::default(),
            dropped_attributes: 0,
        }
    }
}

/// A resource with nothing but the name of its service.
pub(super) fn resource(service: &str) -> Arc<Resource> {
    Arc::new(Resource {
        attributes: [("service.name", service)].into_iter().collect(),
        ..Resource::default()
    })
}

/// A link with nothing but the ids of its span.
pub(super) fn link_to(span: &Span) -> Link {
    Link {
        trace_id: span.trace_id,
        span_id: span.span_id,
        trace_state: Text::default(),
        flags: 0,
        attributes: Attributes::default(),
        dropped_attributes: 0,
    }
}

/// Attributes with one key.
pub(super) fn one(key: &str, value: impl Into<Value>) -> Attributes {
    [(key, value)].into_iter().collect()
}
