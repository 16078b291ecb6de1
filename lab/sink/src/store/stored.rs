//! [`Stored`]: a trace as it is stored, to be read after the store's lock is released.

use std::{collections::HashMap, ops::Deref, sync::Arc};

use otlp::{
    JsonPieces,
    wire::{Fields, put_length},
};
use thiserror::Error;
use trace::{Span, TraceId, otlp as decode};

use super::{
    batch::{Batches, Run, messages},
    envelope::Scope,
};
use crate::room::{NoRoom, Room, Share};

/// A trace as it is stored: the bytes that came, decoded only when it is asked for.
#[derive(Clone, Debug)]
pub struct Stored {
    id: TraceId,
    spans: usize,
    batches: Batches,
}

/// A decoded trace, and the memory that it takes.
#[derive(Debug)]
pub struct Trace {
    trace: trace::Trace,
    _share: Share,
}

impl Deref for Trace {
    type Target = trace::Trace;

    fn deref(&self) -> &trace::Trace {
        &self.trace
    }
}

/// A trace takes more memory than is free now, once it is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("trace {id} takes {needed} bytes when it is decoded, for which there is no room now")]
pub struct TooMuch {
    /// The trace.
    pub id: TraceId,
    /// The bytes that it takes.
    pub needed: usize,
}

/// The memory of a span in the tree of a trace, besides itself.
const OF_A_NODE: usize = 96;

/// The bytes of a piece of a document, about.
const PIECE: usize = 64 << 10;

// === impl Stored ===

impl Stored {
    pub(super) fn new(id: TraceId, spans: u32, batches: Batches) -> Stored {
        Stored {
            id,
            spans: spans as usize,
            batches,
        }
    }

    /// Decodes the trace within this room.
    pub(super) fn decode_within(&self, room: &Room) -> Result<Trace, TooMuch> {
        let runs = self.batches.iter().flat_map(|batch| batch.runs());
        let spans = runs.flat_map(|(_, spans)| messages(spans));
        // The tree has two lists of numbers for each span.
        let needed = spans
            .map(|span| decode::decoded_size(span) + OF_A_NODE)
            .sum();
        let mut share = room.share();
        share.grow(needed).map_err(|NoRoom| TooMuch {
            id: self.id,
            needed,
        })?;
        Ok(Trace {
            trace: self.decode(),
            _share: share,
        })
    }

    /// Decodes the trace.
    pub fn decode(&self) -> trace::Trace {
        let mut spans: Vec<Span> = Vec::with_capacity(self.spans);
        let mut known = HashMap::new();
        for (scope, bytes) in self.batches.iter().flat_map(|batch| batch.runs()) {
            let (resource, scope) = known.entry(Arc::as_ptr(scope)).or_insert_with(|| {
                let resource = Arc::new(decode::resource(scope.resource().encoded()));
                (resource, Arc::new(decode::scope(scope.encoded())))
            });
            let messages = messages(bytes);
            spans.extend(messages.filter_map(|span| decode::span(span, resource, scope).ok()));
        }
        trace::Trace::new(self.id, spans)
    }

    /// The trace as an encoded `TracesData`, in pieces: each span unchanged, with all fields that came.
    pub fn to_protobuf(&self) -> impl Iterator<Item = Vec<u8>> + Send + 'static {
        let batches = self.batches.clone();
        let mut places = places(&batches, PIECE).into_iter();
        std::iter::from_fn(move || {
            let mut out = Vec::new();
            while out.len() < PIECE {
                let Some(place) = places.next() else {
                    break;
                };
                put_scope(&place.run(&batches).scope, place.spans(&batches), &mut out);
            }
            (!out.is_empty()).then_some(out)
        })
    }

    /// The trace as an OTLP/JSON document, in pieces. Spans of one resource and scope stand together.
    pub fn to_json(&self) -> impl Iterator<Item = Vec<u8>> + Send + 'static {
        let batches = self.batches.clone();
        // A span takes several times its bytes as JSON.
        let mut order = places(&batches, PIECE / 4);
        order.sort_by_key(|place| place.group);
        let mut pieces = Some(JsonPieces::default());
        let mut at = 0;
        let mut within: Option<(usize, usize)> = None;
        std::iter::from_fn(move || {
            let document = pieces.as_mut()?;
            let mut out = Vec::with_capacity(PIECE + PIECE / 4);
            while out.len() < PIECE {
                let Some(place) = order.get(at) else {
                    let document = pieces.take()?;
                    document.end(&mut out);
                    return Some(out);
                };
                let run = place.run(&batches);
                if within != Some(place.group) {
                    if within.is_none_or(|(resource, _)| resource != place.group.0) {
                        document.resource(run.scope.resource().encoded(), &mut out);
                    }
                    document.scope(run.scope.encoded(), &mut out);
                    within = Some(place.group);
                }
                for span in messages(place.spans(&batches)) {
                    document.span(span, &mut out);
                }
                at += 1;
            }
            Some(out)
        })
    }
}

/// Where spans of one scope stand, few enough for a piece.
struct Place {
    /// The numbers of the resource and of the scope, by their first spans.
    group: (usize, usize),
    batch: usize,
    run: usize,
    start: usize,
    end: usize,
}

// === impl Place ===

impl Place {
    fn run<'b>(&self, batches: &'b Batches) -> &'b Run {
        &batches[self.batch].runs[self.run]
    }

    fn spans<'b>(&self, batches: &'b Batches) -> &'b [u8] {
        &batches[self.batch].bytes[self.start..self.end]
    }
}

/// The places of all spans, in the order in which they came. Each has about this number of bytes at most, and one span
/// at least.
fn places(batches: &Batches, most: usize) -> Vec<Place> {
    let mut resources = HashMap::new();
    let mut scopes = HashMap::new();
    let mut places = Vec::new();
    for (batch_at, batch) in batches.iter().enumerate() {
        let mut start = 0;
        for (run_at, run) in batch.runs.iter().enumerate() {
            let next = resources.len();
            let resource = Arc::as_ptr(run.scope.resource());
            let resource = *resources.entry(resource).or_insert(next);
            let next = scopes.len();
            let scope = *scopes.entry(Arc::as_ptr(&run.scope)).or_insert(next);
            let run_end = run.end as usize;
            while start < run_end {
                let end = start + end_of_piece(&batch.bytes[start..run_end], most);
                places.push(Place {
                    group: (resource, scope),
                    batch: batch_at,
                    run: run_at,
                    start,
                    end,
                });
                start = end;
            }
        }
    }
    places
}

/// The end of the first spans that have this number of bytes together.
fn end_of_piece(spans: &[u8], most: usize) -> usize {
    let mut end = 0;
    for field in Fields::of(spans).flatten() {
        end += field.whole.len();
        if end >= most {
            return end;
        }
    }
    spans.len()
}

/// Writes a `ResourceSpans` that has one scope, and these spans in it.
fn put_scope(scope: &Scope, spans: &[u8], out: &mut Vec<u8>) {
    let (resource, envelope) = (scope.resource().encoded(), scope.encoded());
    let mut head = Vec::new();
    let in_scope = envelope.len() + spans.len();
    put_length(2, in_scope, &mut head);
    put_length(1, resource.len() + head.len() + in_scope, out);
    for part in [resource, &head, envelope, spans] {
        out.extend_from_slice(part);
    }
}
