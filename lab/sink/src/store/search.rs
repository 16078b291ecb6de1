//! Searches traces: first in the index, then, where that is not enough, in the bytes of their spans.

use std::{sync::Arc, time::Duration};

use otlp::wire::{Fields, Payload};
use trace::{TraceId, Value, otlp::attribute};

use super::{
    batch::{Batches, Facts, messages},
    envelope::Scope,
    marks::{Mark, Marker, Marks},
};

/// The conditions for a trace. The default matches all traces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// The trace has a span of this service.
    pub service: Option<String>,
    /// The trace has a span of this name; with `service`, a span of that service.
    pub name: Option<String>,
    /// The trace has a span (of the service and the name, if given) with this attribute. A value that is not
    /// a string is compared in its printed form: `20`, `true`.
    pub attribute: Option<(String, String)>,
    /// The trace takes at least this time.
    pub min_duration: Option<Duration>,
    /// The trace has a span with the status error (`true`), or has none (`false`).
    pub error: Option<bool>,
    /// The highest number of traces in the result: the newest.
    pub limit: Option<usize>,
}

/// The summary of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Its id.
    pub trace_id: TraceId,
    /// The service of its first root, or of its earliest span if no root has come yet.
    pub service: String,
    /// The name of that span.
    pub name: String,
    /// The start of its earliest span: nanoseconds since the Unix epoch, as text in JSON.
    pub start_unix_nano: u64,
    /// The time from the start of its earliest span to the end of its last one.
    pub duration: Duration,
    /// The number of its spans.
    pub spans: usize,
    /// The number of its spans with the status error.
    pub errors: usize,
    /// The number of its spans that name no parent.
    pub roots: usize,
    /// The revision of the trace, which grows when spans arrive: see [`crate::Store::revision`].
    pub revision: u64,
}

/// A trace for the search: what the index knows, and handles on its spans, which are read without the lock.
pub(super) struct Candidate {
    pub(super) trace_id: TraceId,
    pub(super) revision: u64,
    pub(super) facts: Facts,
    pub(super) batches: Batches,
}

/// A query, as the index is asked.
pub(super) struct Asked<'q> {
    query: &'q Query,
    mark: Option<Mark>,
}

/// The numbers of the fields of a span that a search looks at (`trace.proto`).
const NAME: u32 = 5;
const ATTRIBUTES: u32 = 9;

// === impl Asked ===

impl<'q> Asked<'q> {
    pub(super) fn new(query: &'q Query, marker: &Marker) -> Asked<'q> {
        let service = query
            .service
            .as_deref()
            .map(|service| marker.service(service));
        let name = query
            .name
            .as_deref()
            .map(|name| marker.name(name.as_bytes()));
        let mark = match (name, service) {
            (Some(name), Some(service)) => Some(name.of(service)),
            (name, service) => name.or(service),
        };
        Asked { query, mark }
    }

    /// Whether the index says that a trace may match.
    pub(super) fn may_match(&self, facts: &Facts) -> bool {
        let Query {
            min_duration,
            error,
            ..
        } = self.query;
        self.mark
            .is_none_or(|mark| Marks::may_have(&facts.marks, mark))
            && min_duration.is_none_or(|least| facts.duration() >= least)
            && error.is_none_or(|wanted| wanted == (facts.errors > 0))
    }

    /// Whether a trace that may match has a span that does.
    pub(super) fn matches(&self, candidate: &Candidate) -> bool {
        let query = self.query;
        if query.service.is_none() && query.name.is_none() && query.attribute.is_none() {
            return true;
        }
        let mut runs = candidate.batches.iter().flat_map(|batch| batch.runs());
        runs.any(|(scope, spans)| {
            let service = query.service.as_deref();
            service.is_none_or(|service| scope.resource().service() == service)
                && ((query.name.is_none() && query.attribute.is_none())
                    || messages(spans).any(|span| query.is_true_of(span)))
        })
    }
}

// === impl Candidate ===

impl Candidate {
    pub(super) fn into_summary(self) -> Summary {
        let Candidate {
            trace_id,
            revision,
            facts,
            batches,
        } = self;
        let first = batches.get(facts.first.batch as usize);
        let named = first.and_then(|batch| batch.span_at(facts.first.at));
        let (service, name) = named.map_or_else(Default::default, |(scope, span)| {
            (
                service_of(scope),
                String::from_utf8_lossy(name_of(span)).into_owned(),
            )
        });
        Summary {
            trace_id,
            service,
            name,
            start_unix_nano: facts.start_ns,
            duration: facts.duration(),
            spans: facts.spans as usize,
            errors: facts.errors as usize,
            roots: facts.roots as usize,
            revision,
        }
    }
}

fn service_of(scope: &Arc<Scope>) -> String {
    scope.resource().service().to_owned()
}

// === impl Facts ===

impl Facts {
    fn duration(&self) -> Duration {
        Duration::from_nanos(self.end_ns.saturating_sub(self.start_ns))
    }
}

// === impl Query ===

impl Query {
    fn is_true_of(&self, span: &[u8]) -> bool {
        let name = self.name.as_deref();
        name.is_none_or(|name| is_text(name_of(span), name))
            && self.attribute.as_ref().is_none_or(|(key, text)| {
                let attributes = Fields::of(span).flatten();
                attributes
                    .filter(|field| field.number == ATTRIBUTES)
                    .filter_map(|field| field.bytes())
                    .any(|pair| has_key(pair, key) && reads(&attribute(pair).1, text))
            })
    }
}

/// The name of an encoded span: the last one, as of any field that does not repeat.
fn name_of(span: &[u8]) -> &[u8] {
    let fields = Fields::of(span).flatten();
    let names = fields.filter(|field| field.number == NAME);
    names
        .filter_map(|field| field.bytes())
        .last()
        .unwrap_or_default()
}

fn has_key(pair: &[u8], key: &str) -> bool {
    let fields = Fields::of(pair).flatten();
    let keys = fields.filter_map(|field| match (field.number, field.payload) {
        (1, Payload::Bytes(key)) => Some(key),
        _ => None,
    });
    is_text(keys.last().unwrap_or_default(), key)
}

/// Whether bytes are this text as it is shown: what is not UTF-8 has U+FFFD.
fn is_text(bytes: &[u8], text: &str) -> bool {
    bytes == text.as_bytes() || (!bytes.is_ascii() && String::from_utf8_lossy(bytes) == text)
}

fn reads(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found == text,
        other => other.to_string() == text,
    }
}
