//! [`Drain`]: a receiver that knows each span of a [`Workload`](crate::Workload) by its ids, and writes its arrival into
//! a ledger. The content of some spans is compared with what was sent.

mod changes;
mod content;
mod gathered;
mod ids;
mod unpacked;

use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use otlp::{
    Malformed,
    wire::{Field, Fields, Payload},
};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use trace::{SpanId, TraceId};

use self::{
    gathered::Gathered,
    ids::{ids, start_of},
    unpacked::unpacked,
};
use crate::{
    SpanSlot, Stream, StreamTrace, TraceSlot,
    ledger::{Ledger, LedgerError, Number},
    serve::{Receive, Reply, Request, serve},
};

/// What of the content of spans must be as it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// All of it; the order of attributes does not matter.
    #[default]
    Same,
    /// All that was sent is still there; attributes may have been added.
    Kept,
    /// Only ids are looked at.
    Any,
}

/// A receiver of the spans of a workload.
#[derive(Debug)]
pub struct Drain {
    stream: Arc<Stream>,
    content: Content,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    ledger: Ledger,
    /// The trace of the span before: most spans in a row are of one trace.
    last: Option<Known>,
    /// Where a span is written as it was sent.
    sent: Vec<u8>,
    /// Envelopes that were compared already: that of a template and its scope, and what came.
    envelopes: HashMap<(u8, usize), (Vec<u8>, bool)>,
}

/// A trace that was looked up.
#[derive(Clone, Copy, Debug)]
struct Known {
    id: [u8; 16],
    trace: StreamTrace,
    template: u8,
    /// When it was to be sent, since the Unix epoch: it ends then.
    due: Option<Duration>,
}

/// Of this many spans one is compared, beside the first and the last in a request.
const COMPARED_OF: u64 = 64;

/// A walk over the spans of a request. Its lists are used again for each scope.
struct Walk<'a> {
    now: Duration,
    /// The fields of a `ResourceSpans` but its scopes, and these.
    resource: Vec<&'a [u8]>,
    scopes: Vec<&'a [u8]>,
    /// The fields of a `ScopeSpans` but its spans, and these.
    scope: Vec<&'a [u8]>,
    spans: Vec<&'a [u8]>,
    /// The last span, if it has not been compared.
    last: Option<(StreamTrace, usize, &'a [u8])>,
    /// How many spans of this stream there were.
    found: u64,
}

// === impl Drain ===

impl Drain {
    /// A receiver that writes into the ledger at `path`, which is made if it is not there, and continued otherwise.
    ///
    /// # Errors
    ///
    /// When the ledger cannot be written, or is one of another workload.
    pub fn open(
        stream: Arc<Stream>,
        digest: u64,
        content: Content,
        path: &Path,
    ) -> Result<Drain, LedgerError> {
        let ledger = Ledger::open(path, digest, stream.spans())?;
        Ok(Drain {
            stream,
            content,
            state: Mutex::new(State {
                ledger,
                last: None,
                sent: Vec::new(),
                envelopes: HashMap::new(),
            }),
        })
    }

    /// Receives OTLP/gRPC, and OTLP/HTTP by HTTP/1.1 and HTTP/2, on one listener until `shutdown` is cancelled.
    ///
    /// # Errors
    ///
    /// When the listener cannot accept connections any more.
    pub async fn run(
        self: Arc<Self>,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> io::Result<()> {
        serve(listener, self, shutdown).await
    }

    /// Notes the spans of a request that came at `now`.
    fn take(&self, request: &[u8], now: Duration) -> Result<(), Malformed> {
        let state = &mut *self.state.lock();
        let mut walk = Walk::at(now);
        for field in Fields::of(request) {
            if let Field {
                number: 1,
                payload: Payload::Bytes(resource_spans),
                ..
            } = field?
            {
                self.take_resource(state, &mut walk, resource_spans)?;
            }
        }
        if let Some((trace, index, span)) = walk.last
            && self.content != Content::Any
            && !self.is_as_sent(state, &trace, index, span)?
        {
            state.corrupted(trace.first + index as u64);
        }
        Ok(())
    }

    fn take_resource<'a>(
        &self,
        state: &mut State,
        walk: &mut Walk<'a>,
        bytes: &'a [u8],
    ) -> Result<(), Malformed> {
        walk.resource.clear();
        walk.scopes.clear();
        for field in Fields::of(bytes) {
            let field = field?;
            match (field.number, field.payload) {
                (2, Payload::Bytes(scope_spans)) => walk.scopes.push(scope_spans),
                _ => walk.resource.push(field.whole),
            }
        }
        for number in 0..walk.scopes.len() {
            let scope = walk.scopes[number];
            self.take_scope(state, walk, scope)?;
        }
        Ok(())
    }

    fn take_scope<'a>(
        &self,
        state: &mut State,
        walk: &mut Walk<'a>,
        bytes: &'a [u8],
    ) -> Result<(), Malformed> {
        walk.scope.clear();
        walk.spans.clear();
        // The scope may stand behind its spans, which are compared with it.
        for field in Fields::of(bytes) {
            let field = field?;
            match (field.number, field.payload) {
                (2, Payload::Bytes(span)) => walk.spans.push(span),
                _ => walk.scope.push(field.whole),
            }
        }
        let (mut spans, mut envelope) = (0, None);
        // Spans that took the same time until now.
        let (mut due, mut timed) = (None, 0);
        for number in 0..walk.spans.len() {
            let span = walk.spans[number];
            let Some((known, index)) = self.find(state, span)? else {
                state.ledger.add(Number::Foreign, 1);
                continue;
            };
            let Known {
                trace, template, ..
            } = known;
            let slot = trace.first + index as u64;
            let before = state.ledger.arrived(slot);
            spans += 1;
            if before == 0 && self.stream.is_in_time(&trace, index) {
                if due != known.due {
                    state.ledger.took(walk.now, due, timed);
                    (due, timed) = (known.due, 0);
                }
                timed += 1;
            }
            if self.content == Content::Any {
                continue;
            }
            let of = (template, self.stream.encoded(&trace).scope_of(index));
            let has_envelope = match envelope {
                Some((known, is_right)) if known == of => is_right,
                _ => {
                    let sent = self.stream.encoded(&trace).envelope(of.1);
                    let is_right = self.has_envelope(state, of, sent, walk);
                    envelope = Some((of, is_right));
                    is_right
                }
            };
            let is_first = walk.found == 0;
            walk.found += 1;
            let is_compared = is_first || slot.is_multiple_of(COMPARED_OF);
            let is_right = !is_compared || self.is_as_sent(state, &trace, index, span)?;
            if !(has_envelope && is_right) {
                state.corrupted(slot);
            }
            walk.last = (!is_compared && has_envelope).then_some((trace, index, span));
        }
        state.ledger.took(walk.now, due, timed);
        if spans > 0 {
            let ledger = &mut state.ledger;
            ledger.add(Number::Spans, spans);
            let nanos = walk.now.as_nanos() as u64;
            if ledger.get(Number::First) == 0 {
                ledger.set(Number::First, nanos);
            }
            ledger.set(Number::Last, nanos);
        }
        Ok(())
    }

    /// Which span of the stream this is; `None` if it is none.
    #[inline]
    fn find(&self, state: &mut State, span: &[u8]) -> Result<Option<(Known, usize)>, Malformed> {
        let Some((trace_id, span_id)) = ids(span)? else {
            return Ok(None);
        };
        let slot = SpanId::from_bytes(span_id).ok().and_then(SpanSlot::of);
        let known = match state.last {
            Some(known) if known.id == trace_id => known,
            _ => match self.look_up(state.ledger.planned(), trace_id, slot, span)? {
                Some(known) => {
                    state.last = Some(known);
                    known
                }
                None => return Ok(None),
            },
        };
        let trace = &known.trace;
        let index = slot.filter(|slot| {
            let is_in_trace = slot.sequence == trace.sequence && (slot.index as u64) < trace.spans;
            is_in_trace && trace.first + (slot.index as u64) < state.ledger.planned()
        });
        Ok(index.map(|slot| (known, slot.index)))
    }

    /// Which trace of the stream this is; one of its spans says when it was to be sent.
    fn look_up(
        &self,
        planned: u64,
        trace_id: [u8; 16],
        of: Option<SpanSlot>,
        span: &[u8],
    ) -> Result<Option<Known>, Malformed> {
        let id = TraceId::from_bytes(trace_id).ok();
        let Some(slot) = id.and_then(TraceSlot::of) else {
            return Ok(None);
        };
        let trace = self.stream.trace_of(slot.sequence);
        // The run and the variant are those of the stream, or it is none of ours.
        if self.stream.ids(&trace) != slot || trace.first >= planned {
            return Ok(None);
        }
        let of = of.filter(|of| (of.index as u64) < trace.spans);
        let due = match (of, start_of(span)?) {
            (Some(of), Some(start)) => {
                let encoded = self.stream.encoded(&trace);
                let start = start.wrapping_add_signed(-encoded.start_after_ns(of.index));
                Some(Duration::from_nanos(
                    start.saturating_add(encoded.duration_ns),
                ))
            }
            _ => None,
        };
        Ok(Some(Known {
            id: trace_id,
            trace,
            template: slot.template,
            due,
        }))
    }
}

impl Receive for Drain {
    type Body = Gathered;

    fn piece(body: &mut Gathered, piece: Bytes) {
        body.add(piece);
    }

    fn receive(&self, request: Request<'_>, body: Gathered) -> Reply {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default();
        let body = body.whole();
        let (requests, bytes) = (1, body.len() as u64);
        let taken = unpacked(request, body)
            .and_then(|message| self.take(&message, now).map_err(|error| error.to_string()));
        let mut state = self.state.lock();
        state.ledger.add(Number::Requests, requests);
        state.ledger.add(Number::Bytes, bytes);
        match taken {
            Ok(()) => Reply::Accepted,
            Err(why) => {
                state.ledger.add(Number::Malformed, 1);
                Reply::Malformed(why)
            }
        }
    }
}

// === impl State ===

impl State {
    fn corrupted(&mut self, slot: u64) {
        self.ledger.corrupted(slot);
        self.ledger.add(Number::Corrupted, 1);
    }
}

// === impl Walk ===

impl<'a> Walk<'a> {
    fn at(now: Duration) -> Walk<'a> {
        Walk {
            now,
            resource: Vec::new(),
            scopes: Vec::new(),
            scope: Vec::new(),
            spans: Vec::new(),
            last: None,
            found: 0,
        }
    }

    /// The bytes of the resource and of the scope.
    fn envelope(&self) -> Vec<u8> {
        let mut bytes = self.resource.concat();
        bytes.push(0);
        bytes.extend(self.scope.concat());
        bytes
    }
}
