//! [`Stored`]: a trace as it is stored, to be read after the store's lock is released.

use std::{collections::HashMap, ops::Deref, sync::Arc};

use otlp::{
    JsonPieces,
    wire::{Fields, put_length},
};
use thiserror::Error;
use trace::{Span, TraceId, otlp as decode};

use super::{batch::Batch, envelope::Scope, held::Batches};
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

    /// The number of its spans.
    pub fn spans(&self) -> usize {
        self.spans
    }

    /// The bytes of its spans, as they were sent.
    pub fn bytes(&self) -> usize {
        self.batches.iter().map(|batch| batch.bytes.len()).sum()
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
        let mut at = (0, 0);
        std::iter::from_fn(move || {
            let mut out = Vec::new();
            while out.len() < PIECE {
                let Some((scope, spans)) = run_at(&batches, &mut at) else {
                    break;
                };
                let resource = scope.resource().encoded();
                let in_scope = scope.encoded().len() + spans.len();
                put_length_of_scope(resource.len(), in_scope, &mut out);
                out.extend_from_slice(resource);
                put_length(2, in_scope, &mut out);
                out.extend_from_slice(scope.encoded());
                out.extend_from_slice(spans);
            }
            (!out.is_empty()).then_some(out)
        })
    }

    /// The trace as an OTLP/JSON document, in pieces. Spans of one resource and scope stand together.
    pub fn to_json(&self) -> impl Iterator<Item = Vec<u8>> + Send + 'static {
        let batches = self.batches.clone();
        let order = order_of(&batches);
        let mut pieces = Some(JsonPieces::default());
        let mut at = 0;
        let mut within: Option<usize> = None;
        std::iter::from_fn(move || {
            let document = pieces.as_mut()?;
            let mut out = Vec::with_capacity(PIECE + PIECE / 4);
            while out.len() < PIECE {
                let Some(place) = order.get(at) else {
                    let document = pieces.take()?;
                    document.end(&mut out);
                    return Some(out);
                };
                let run = &batches[place.batch].runs[place.run];
                if within != Some(place.group) {
                    let is_same_resource = at > 0 && {
                        let before = &order[at - 1];
                        let before = &batches[before.batch].runs[before.run];
                        Arc::ptr_eq(before.scope.resource(), run.scope.resource())
                    };
                    if !is_same_resource {
                        document.resource(run.scope.resource().encoded(), &mut out);
                    }
                    document.scope(run.scope.encoded(), &mut out);
                    within = Some(place.group);
                }
                for span in messages(place.spans_of(&batches)) {
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
    /// The number of the scope, by its first span; scopes of one resource have numbers that follow each other.
    group: usize,
    batch: usize,
    run: usize,
    start: usize,
    end: usize,
}

impl Place {
    fn spans_of<'b>(&self, batches: &'b Batches) -> &'b [u8] {
        &batches[self.batch].bytes[self.start..self.end]
    }
}

/// The places of all spans, those of one resource together, and those of one scope in it.
fn order_of(batches: &Batches) -> Vec<Place> {
    let mut resources = HashMap::new();
    let mut scopes = HashMap::new();
    let mut places = Vec::new();
    for (batch_at, batch) in batches.iter().enumerate() {
        let mut start = 0;
        for (run_at, run) in batch.runs.iter().enumerate() {
            let next = resources.len();
            let resource = *resources
                .entry(Arc::as_ptr(run.scope.resource()))
                .or_insert(next);
            let next = scopes.len();
            let scope = *scopes.entry(Arc::as_ptr(&run.scope)).or_insert(next);
            let run_end = run.end as usize;
            while start < run_end {
                let end = end_of_piece(&batch.bytes[start..run_end]) + start;
                places.push((
                    (resource, scope),
                    Place {
                        group: scope,
                        batch: batch_at,
                        run: run_at,
                        start,
                        end,
                    },
                ));
                start = end;
            }
        }
    }
    places.sort_by_key(|(group, _)| *group);
    places.into_iter().map(|(_, place)| place).collect()
}

/// The end of the spans that make a piece; at least one span.
fn end_of_piece(spans: &[u8]) -> usize {
    let mut end = 0;
    for field in Fields::of(spans).flatten() {
        end += field.whole.len();
        if end >= PIECE / 4 {
            break;
        }
    }
    if end == 0 { spans.len() } else { end }
}

/// The next run, and its spans.
fn run_at<'b>(batches: &'b Batches, at: &mut (usize, usize)) -> Option<(&'b Arc<Scope>, &'b [u8])> {
    loop {
        let batch: &Batch = batches.get(at.0)?;
        if let Some(run) = batch.runs().nth(at.1) {
            at.1 += 1;
            return Some(run);
        }
        *at = (at.0 + 1, 0);
    }
}

/// The head of a `ResourceSpans` that has this envelope and one scope.
fn put_length_of_scope(resource: usize, in_scope: usize, out: &mut Vec<u8>) {
    let mut head = Vec::new();
    put_length(2, in_scope, &mut head);
    put_length(1, resource + head.len() + in_scope, out);
}

/// The encoded spans of a run.
fn messages(run: &[u8]) -> impl Iterator<Item = &[u8]> {
    let fields = Fields::of(run).map_while(Result::ok);
    fields.filter_map(|field| field.bytes())
}
