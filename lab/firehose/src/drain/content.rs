//! Whether what came is what was sent.

use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use otlp::Malformed;
use prost::Message as _;

use super::{
    Content, Drain, State, Walk,
    changes::{self, Around},
    ids::start_of,
};
use crate::{StreamTrace, encoded::Envelope, ledger::Number};

// === impl Drain ===

impl Drain {
    /// Whether the content of a span is that of the recorded one.
    pub(super) fn is_as_sent(
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
        let decoded = || Some((Span::decode(&*state.sent).ok()?, Span::decode(span).ok()?));
        let Some((sent, came)) = decoded() else {
            return Ok(false);
        };
        let is_right = self.agree_on(sent, came, |span| {
            // A status that is not set may be written as one without content.
            span.status.get_or_insert_default();
            std::mem::take(&mut span.attributes)
        });
        if !is_right
            && state.ledger.has_no_change()
            && let Some((sent, came)) = decoded()
        {
            state.ledger.note_change(&changes::of_span(&sent, &came));
        }
        Ok(is_right)
    }

    /// Whether resource and scope are those of the recorded span.
    pub(super) fn has_envelope(
        &self,
        state: &mut State,
        of: (u8, usize),
        sent: Envelope<'_>,
        came: &Walk<'_>,
    ) -> bool {
        if sent.is(came) {
            return true;
        }
        let bytes = came.envelope();
        if let Some((known, is_right)) = state.envelopes.get(&of)
            && *known == bytes
        {
            return *is_right;
        }
        let is_right = self.agree_envelopes(sent, came).unwrap_or(false);
        if !is_right
            && state.ledger.has_no_change()
            && let Some((sent, came)) = decoded(sent, came)
        {
            state
                .ledger
                .note_change(&changes::of_envelope(&sent, &came));
        }
        state.envelopes.insert(of, (bytes, is_right));
        is_right
    }

    fn agree_envelopes(&self, sent: Envelope<'_>, came: &Walk<'_>) -> Option<bool> {
        let ((sent_resource, sent_scope), (resource, scope)) = decoded(sent, came)?;
        let of_resource = |of: &mut ResourceSpans| {
            std::mem::take(&mut of.resource.get_or_insert_default().attributes)
        };
        let of_scope =
            |of: &mut ScopeSpans| std::mem::take(&mut of.scope.get_or_insert_default().attributes);
        Some(
            self.agree_on(sent_resource, resource, of_resource)
                && self.agree_on(sent_scope, scope, of_scope),
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

/// The messages around spans, without scopes and spans: as they were sent, and as they came.
fn decoded(sent: Envelope<'_>, came: &Walk<'_>) -> Option<(Around, Around)> {
    let message = |resource: &[u8], scope: &[u8]| {
        let resource = ResourceSpans::decode(resource).ok()?;
        Some((resource, ScopeSpans::decode(scope).ok()?))
    };
    let sent = message(
        &[sent.resource_head, sent.resource_tail].concat(),
        &[sent.scope_head, sent.scope_tail].concat(),
    );
    let came = message(&came.resource.concat(), &came.scope.concat());
    Some((sent?, came?))
}

// === impl Envelope ===

impl Envelope<'_> {
    /// Whether these bytes are what came, as most collectors write it.
    fn is(&self, came: &Walk<'_>) -> bool {
        are(&came.resource, self.resource_head, self.resource_tail)
            && are(&came.scope, self.scope_head, self.scope_tail)
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
