//! Joins the pieces of a span: a reporter may send a span again when it learns more about it, such as a late tag
//! or annotation. Zipkin keeps the pieces, and its readers join them by the id and the service.

use std::collections::HashMap;

use super::ZipkinSpan;
use trace::{SpanId, TraceId};

/// The spans with the pieces of each joined, each at the place of its first piece.
///
/// Two pieces are of one span if their ids and services are equal, their kinds do not differ, and not both have a
/// time of their own: a client that asks a service twice may use one id.
pub(super) fn join(spans: Vec<ZipkinSpan>) -> Vec<ZipkinSpan> {
    let mut joined: Vec<ZipkinSpan> = Vec::with_capacity(spans.len());
    let mut places: HashMap<(TraceId, SpanId), Vec<usize>> = HashMap::new();
    for piece in spans {
        let known = places.entry((piece.trace_id, piece.id)).or_default();
        let of_it = known
            .iter()
            .copied()
            .find(|place| are_one(&joined[*place], &piece));
        match of_it {
            Some(place) => joined[place].add(piece),
            None => {
                known.push(joined.len());
                joined.push(piece);
            }
        }
    }
    joined
}

fn are_one(span: &ZipkinSpan, piece: &ZipkinSpan) -> bool {
    let kinds = span.kind.is_none() || piece.kind.is_none() || span.kind == piece.kind;
    let times = span.timestamp.is_none()
        || piece.timestamp.is_none()
        || (span.timestamp, span.duration) == (piece.timestamp, piece.duration);
    span.service().is_some() && span.service() == piece.service() && kinds && times
}

// === impl ZipkinSpan ===

impl ZipkinSpan {
    /// Adds what a piece knows and the span does not.
    fn add(&mut self, piece: ZipkinSpan) {
        self.parent_id = self.parent_id.or(piece.parent_id);
        self.kind = self.kind.or(piece.kind);
        self.timestamp = self.timestamp.or(piece.timestamp);
        self.duration = self.duration.max(piece.duration);
        self.shared = self.shared.or(piece.shared);
        let is_named = self.name.as_ref().is_some_and(|name| !name.is_empty());
        if !is_named {
            self.name = piece.name.or(self.name.take());
        }
        if self.remote_endpoint.is_none() {
            self.remote_endpoint = piece.remote_endpoint;
        }
        let annotations = self.annotations.get_or_insert_default();
        for more in piece.annotations.into_iter().flatten() {
            let is_it = |known: &super::Annotation| {
                (known.timestamp, &known.value) == (more.timestamp, &more.value)
            };
            if !annotations.iter().any(is_it) {
                annotations.push(more);
            }
        }
        let tags = self.tags.get_or_insert_default();
        for (key, value) in piece.tags.into_iter().flatten() {
            tags.entry(key).or_insert(value);
        }
    }
}
