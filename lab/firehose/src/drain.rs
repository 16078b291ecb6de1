//! [`Drain`]: a receiver that knows each span of a [`Workload`](crate::Workload) by its ids, and writes its arrival into
//! a ledger. The content of some spans is compared with what was sent.

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
use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use otlp::{
    Malformed,
    wire::{Field, Fields, Payload},
};
use parking_lot::Mutex;
use prost::Message as _;
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
    encoded::Envelope,
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
    last: Option<([u8; 16], StreamTrace)>,
    /// Where a span is written as it was sent.
    sent: Vec<u8>,
    /// Envelopes that were compared already: that of a template and its scope, and what came.
    envelopes: HashMap<(u8, usize), (Vec<u8>, bool)>,
}

/// Of this many spans one is compared, beside the first and the last of each scope in a request.
const COMPARED_OF: u64 = 64;

/// The spans of a scope in a request.
struct ScopeOfRequest<'a> {
    resource: &'a ResourceOfRequest<'a>,
    /// The fields of its message but the spans.
    rest: Vec<&'a [u8]>,
}

/// The fields of a `ResourceSpans` but its scopes.
struct ResourceOfRequest<'a>(Vec<&'a [u8]>);

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
        let mut state = self.state.lock();
        for field in Fields::of(request) {
            if let Field {
                number: 1,
                payload: Payload::Bytes(resource_spans),
                ..
            } = field?
            {
                self.take_resource(&mut state, resource_spans, now)?;
            }
        }
        Ok(())
    }

    fn take_resource(
        &self,
        state: &mut State,
        bytes: &[u8],
        now: Duration,
    ) -> Result<(), Malformed> {
        let (mut rest, mut scopes) = (Vec::new(), Vec::new());
        for field in Fields::of(bytes) {
            let field = field?;
            match (field.number, field.payload) {
                (2, Payload::Bytes(scope_spans)) => scopes.push(scope_spans),
                _ => rest.push(field.whole),
            }
        }
        let resource = ResourceOfRequest(rest);
        for scope in scopes {
            self.take_scope(state, &resource, scope, now)?;
        }
        Ok(())
    }

    fn take_scope(
        &self,
        state: &mut State,
        resource: &ResourceOfRequest<'_>,
        bytes: &[u8],
        now: Duration,
    ) -> Result<(), Malformed> {
        let (mut rest, mut all) = (Vec::new(), Vec::new());
        // The scope may stand behind its spans, which are compared with it.
        for field in Fields::of(bytes) {
            let field = field?;
            match (field.number, field.payload) {
                (2, Payload::Bytes(span)) => all.push(span),
                _ => rest.push(field.whole),
            }
        }
        let scope = ScopeOfRequest { resource, rest };
        let (mut spans, mut envelope, mut timed) = (0, None, 0);
        let mut clock = None;
        for (number, span) in (1..).zip(&all) {
            let span: &[u8] = span;
            let Some((trace, index)) = self.find(state, span)? else {
                state.ledger.add(Number::Foreign, 1);
                continue;
            };
            let slot = trace.first + index as u64;
            let before = state.ledger.arrived(slot);
            spans += 1;
            let encoded = self.stream.encoded(&trace);
            if before == 0 && self.stream.is_in_time(&trace, index) {
                timed += 1;
                if clock.is_none() {
                    clock = start_of(span)?.map(|start| {
                        let start = start.wrapping_add_signed(-encoded.start_after_ns(index));
                        Duration::from_nanos(start.saturating_add(encoded.duration_ns))
                    });
                }
            }
            if self.content == Content::Any {
                continue;
            }
            let of = (self.stream.ids(&trace).template, encoded.scope_of(index));
            let is_first = envelope != Some(of);
            if is_first {
                envelope = Some(of);
            }
            let is_last = number == all.len();
            let is_wrong = !self.has_envelope(state, of, encoded.envelope(of.1), &scope)
                || (is_first || is_last || slot.is_multiple_of(COMPARED_OF))
                    && !self.is_as_sent(state, &trace, index, span)?;
            if is_wrong {
                state.ledger.corrupted(slot);
                state.ledger.add(Number::Corrupted, 1);
            }
        }
        if spans > 0 {
            let ledger = &mut state.ledger;
            ledger.add(Number::Spans, spans);
            let nanos = now.as_nanos() as u64;
            if ledger.get(Number::First) == 0 {
                ledger.set(Number::First, nanos);
            }
            ledger.set(Number::Last, nanos);
            if let Some(clock) = clock {
                ledger.took(now.saturating_sub(clock), timed);
            }
        }
        Ok(())
    }

    /// Which span of the stream this is; `None` if it is none.
    #[inline]
    fn find(
        &self,
        state: &mut State,
        span: &[u8],
    ) -> Result<Option<(StreamTrace, usize)>, Malformed> {
        let Some((trace_id, span_id)) = ids(span)? else {
            return Ok(None);
        };
        let trace = match &state.last {
            Some((id, trace)) if *id == trace_id => *trace,
            _ => {
                let id = TraceId::from_bytes(trace_id).ok();
                let Some(slot) = id.and_then(TraceSlot::of) else {
                    return Ok(None);
                };
                let trace = self.stream.trace_of(slot.sequence);
                // The run and the variant are those of the stream, or it is none of ours.
                if self.stream.ids(&trace) != slot || trace.first >= state.ledger.planned() {
                    return Ok(None);
                }
                state.last = Some((trace_id, trace));
                trace
            }
        };
        let slot = SpanId::from_bytes(span_id).ok().and_then(SpanSlot::of);
        let index = slot.filter(|slot| {
            let is_in_trace = slot.sequence == trace.sequence && (slot.index as u64) < trace.spans;
            is_in_trace && trace.first + (slot.index as u64) < state.ledger.planned()
        });
        Ok(index.map(|slot| (trace, slot.index)))
    }

    /// Whether the content of a span is that of the recorded one.
    fn is_as_sent(
        &self,
        state: &mut State,
        trace: &StreamTrace,
        index: usize,
        span: &[u8],
    ) -> Result<bool, Malformed> {
        state.ledger.add(Number::Compared, 1);
        let encoded = self.stream.encoded(trace);
        let Some(start) = start_of(span)? else {
            return Ok(false);
        };
        // Its start tells that of the trace; all other times must agree with it.
        let start = start.wrapping_add_signed(-encoded.start_after_ns(index));
        encoded.span(index, self.stream.ids(trace), start, &mut state.sent);
        if state.sent == span {
            return Ok(true);
        }
        let (Ok(sent), Ok(came)) = (Span::decode(&*state.sent), Span::decode(span)) else {
            return Ok(false);
        };
        Ok(self.agree_on(sent, came, |span| {
            // A status that is not set may be written as one without content.
            span.status.get_or_insert_default();
            std::mem::take(&mut span.attributes)
        }))
    }

    /// Whether resource and scope are those of the recorded span.
    fn has_envelope(
        &self,
        state: &mut State,
        of: (u8, usize),
        sent: Envelope<'_>,
        came: &ScopeOfRequest<'_>,
    ) -> bool {
        if sent.is(came) {
            return true;
        }
        let bytes = came.bytes();
        if let Some((known, is_right)) = state.envelopes.get(&of)
            && *known == bytes
        {
            return *is_right;
        }
        let is_right = self.agree_envelopes(sent, came).unwrap_or(false);
        state.envelopes.insert(of, (bytes, is_right));
        is_right
    }

    fn agree_envelopes(&self, sent: Envelope<'_>, came: &ScopeOfRequest<'_>) -> Option<bool> {
        let sent_resource = [sent.resource_head, sent.resource_tail].concat();
        let came_resource = came.resource.0.concat();
        let sent_scope = [sent.scope_head, sent.scope_tail].concat();
        let resources = (
            ResourceSpans::decode(&*sent_resource).ok()?,
            ResourceSpans::decode(&*came_resource).ok()?,
        );
        let scopes = (
            ScopeSpans::decode(&*sent_scope).ok()?,
            ScopeSpans::decode(&*came.rest.concat()).ok()?,
        );
        let of_resource = |of: &mut ResourceSpans| {
            std::mem::take(&mut of.resource.get_or_insert_default().attributes)
        };
        let of_scope =
            |of: &mut ScopeSpans| std::mem::take(&mut of.scope.get_or_insert_default().attributes);
        Some(
            self.agree_on(resources.0, resources.1, of_resource)
                && self.agree_on(scopes.0, scopes.1, of_scope),
        )
    }

    /// Whether two messages are the same but for the order of their attributes, and for more of them where that is
    /// allowed.
    fn agree_on<M: PartialEq>(
        &self,
        mut sent: M,
        mut came: M,
        take_attributes: impl Fn(&mut M) -> Vec<KeyValue>,
    ) -> bool {
        let (wanted, there) = (take_attributes(&mut sent), take_attributes(&mut came));
        let is_enough = match self.content {
            Content::Same => wanted.len() == there.len(),
            Content::Kept | Content::Any => wanted.len() <= there.len(),
        };
        is_enough && sent == came && wanted.iter().all(|one| there.contains(one))
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

// === impl Envelope ===

impl Envelope<'_> {
    /// Whether these bytes are what came, as most collectors write it.
    fn is(&self, came: &ScopeOfRequest<'_>) -> bool {
        are(&came.resource.0, self.resource_head, self.resource_tail)
            && are(&came.rest, self.scope_head, self.scope_tail)
    }
}

/// Whether the fields are those of both parts.
fn are(fields: &[&[u8]], head: &[u8], tail: &[u8]) -> bool {
    match fields {
        [one] if tail.is_empty() => *one == head,
        [one, two] => *one == head && *two == tail,
        [] => head.is_empty() && tail.is_empty(),
        _ => false,
    }
}

// === impl ScopeOfRequest ===

impl ScopeOfRequest<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.resource.0.concat();
        bytes.push(0);
        bytes.extend(self.rest.concat());
        bytes
    }
}
