//! Where the ids and times of a trace are in its encoded bytes.
//!
//! All of them have a fixed width in both encodings of OTLP: 16 and 8 bytes and fixed64 in protobuf, 32 and 16 hex
//! digits and 19 decimal digits in JSON. So they are overwritten in place, and no length changes.

mod in_json;
mod in_protobuf;

pub(crate) use in_json::{TIME_DIGITS, in_json};
pub(crate) use in_protobuf::{in_protobuf, in_span};

use std::collections::HashMap;

use trace::{Span, SpanId, TraceId};

use crate::SpanSlot;

/// The places of one trace. Each is an offset into the bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// The trace ids: of the spans, and of links within the trace.
    pub(crate) trace_ids: Vec<usize>,
    /// The span ids: of the spans, of their parents and of links within the trace, with the index of the span that
    /// each one names.
    pub(crate) span_ids: Vec<(usize, usize)>,
    /// The times of spans and events, in nanoseconds after the start of the trace; before it, if negative.
    pub(crate) times: Vec<(usize, i64)>,
}

/// What a trace is known by before its ids are overwritten.
pub(crate) struct Known {
    pub(crate) trace_id: TraceId,
    /// The spans and their indices.
    pub(crate) spans: HashMap<SpanId, usize>,
    /// The start of the earliest span, in nanoseconds since the Unix epoch.
    pub(crate) start_ns: u64,
}

// === impl Places ===

impl Places {
    /// Adds those of another part of the same bytes.
    pub(crate) fn add(&mut self, more: &Places) {
        self.trace_ids.extend(&more.trace_ids);
        self.span_ids.extend(&more.span_ids);
        self.times.extend(&more.times);
    }

    /// Gives a copy of the bytes its ids and times. The copy begins at the offset `base` of these places.
    #[inline]
    pub(crate) fn patch(
        &self,
        copy: &mut [u8],
        base: usize,
        trace_id: &[u8; 16],
        sequence: u64,
        start_ns: u64,
    ) {
        for at in &self.trace_ids {
            let at = at - base;
            copy[at..at + 16].copy_from_slice(trace_id);
        }
        for &(at, index) in &self.span_ids {
            let at = at - base;
            copy[at..at + 8].copy_from_slice(&SpanSlot { sequence, index }.bytes());
        }
        for &(at, after) in &self.times {
            let at = at - base;
            let time = start_ns.wrapping_add_signed(after);
            copy[at..at + 8].copy_from_slice(&time.to_le_bytes());
        }
    }
}

// === impl Known ===

impl Known {
    /// What is known of the trace whose spans have these ids, in this order.
    pub(crate) fn of_bytes(trace_id: &[u8], ids: &[Vec<u8>], start_ns: u64) -> Known {
        let ids = ids.iter().map(|id| SpanId::from_slice(id));
        Known {
            trace_id: TraceId::from_slice(trace_id).expect("a span has the id of its trace"),
            spans: (0..)
                .zip(ids)
                .map(|(index, id)| (id.expect("a span has an id"), index))
                .collect(),
            start_ns,
        }
    }

    /// The span that an id names, if it is one of this trace.
    fn span(&self, id: &[u8]) -> Option<usize> {
        self.spans.get(&SpanId::from_slice(id).ok()?).copied()
    }

    fn is_trace(&self, id: &[u8]) -> bool {
        id == self.trace_id.as_bytes()
    }

    /// A time as nanoseconds after the start of the trace.
    fn after_start(&self, time_ns: u64) -> i64 {
        time_ns.wrapping_sub(self.start_ns) as i64
    }
}

/// The first of two spans with the same id, if there are such.
pub(crate) fn indices(spans: &[Span]) -> Result<HashMap<SpanId, usize>, SpanId> {
    let mut found = HashMap::with_capacity(spans.len());
    for (index, span) in spans.iter().enumerate() {
        if found.insert(span.span_id, index).is_some() {
            return Err(span.span_id);
        }
    }
    Ok(found)
}
