//! The spans of a request, come to without decoding them.

use std::fmt;

use otlp::{
    DecodeError, Head, Part, Walked,
    wire::{Fields, Payload},
};
use thiserror::Error;

use crate::{SpanId, TraceId, id::IdError};

/// What [`walk`] comes to.
#[derive(Clone, Debug)]
pub enum Found<'a> {
    /// The encoded `ResourceSpans` of the spans that follow.
    Resource(&'a [u8]),
    /// The encoded `ScopeSpans` of the spans that follow.
    Scope(&'a [u8]),
    /// A span.
    Span(SpanHead<'a>),
    /// A span that cannot be used.
    Rejected(Rejected),
}

/// What there is to know of a span without decoding it.
#[derive(Clone, Copy, Debug)]
pub struct SpanHead<'a> {
    /// The trace that it belongs to.
    pub trace_id: TraceId,
    /// Whether it names no parent.
    pub is_root: bool,
    /// Whether its status is error.
    pub is_error: bool,
    /// The start, in nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// The end, in nanoseconds since the Unix epoch.
    pub end_ns: u64,
    /// Its name, which may not be UTF-8.
    pub name: &'a [u8],
    /// Its bytes as a field of the `ScopeSpans`.
    pub field: &'a [u8],
    /// The encoded `Span`.
    pub message: &'a [u8],
}

/// A span that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its index in `resourceSpans`.
    pub resource: usize,
    /// Its index in the `scopeSpans` of this resource.
    pub scope: usize,
    /// Its index in the `spans` of this scope.
    pub span: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a span.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// Its trace id is not valid.
    #[error("traceId: {0}")]
    TraceId(IdError),
    /// Its span id is not valid.
    #[error("spanId: {0}")]
    SpanId(IdError),
    /// Its parent's id is neither absent nor valid.
    #[error("parentSpanId: {0}")]
    ParentSpanId(IdError),
    /// An id of one of its links is not valid.
    #[error("links[{link}].{field}: {problem}")]
    Link {
        /// The index of the link.
        link: usize,
        /// `traceId` or `spanId`.
        field: &'static str,
        /// What is wrong with it.
        problem: IdError,
    },
}

/// The number of links in `Span`.
const LINKS: u32 = 13;
/// The code of an error in `Status`.
const ERROR: i32 = 2;

/// Comes to each span of an encoded `ExportTraceServiceRequest` (or `TracesData`, which is the same on the wire).
/// What it found counts only if the whole walk succeeds.
///
/// # Errors
///
/// When the bytes are not such a message, and when `each` returns an error.
pub fn walk<'a, E: From<DecodeError>>(
    request: &'a [u8],
    mut each: impl FnMut(Found<'a>) -> Result<(), E>,
) -> Result<Walked, E> {
    let (mut resources, mut scopes, mut spans) = (0, 0, 0);
    otlp::walk(request, |part| match part {
        Part::Resource(resource) => {
            resources += 1;
            scopes = 0;
            each(Found::Resource(resource))
        }
        Part::Scope(scope) => {
            scopes += 1;
            spans = 0;
            each(Found::Scope(scope))
        }
        Part::Span(head) => {
            spans += 1;
            each(match span_head(&head) {
                Ok(head) => Found::Span(head),
                Err(problem) => Found::Rejected(Rejected {
                    resource: resources - 1,
                    scope: scopes - 1,
                    span: spans - 1,
                    problem,
                }),
            })
        }
    })
}

/// Reads the head of an encoded `Span` that [`otlp`] has written. [`SpanHead::field`] is empty.
///
/// # Errors
///
/// When the span cannot be used.
pub fn head(message: &[u8]) -> Result<SpanHead<'_>, Problem> {
    // What has been written over from JSON is no malformed message.
    span_head(&otlp::head(message).unwrap_or_default())
}

#[inline]
fn span_head<'a>(head: &Head<'a>) -> Result<SpanHead<'a>, Problem> {
    let trace_id = TraceId::from_slice(head.trace_id).map_err(Problem::TraceId)?;
    SpanId::from_slice(head.span_id).map_err(Problem::SpanId)?;
    let parent = parent(head.parent_span_id)?;
    if head.has_links {
        check_links(head.message)?;
    }
    Ok(SpanHead {
        trace_id,
        is_root: parent.is_none(),
        is_error: head.status_code == ERROR,
        start_ns: head.start_ns,
        end_ns: head.end_ns,
        name: head.name,
        field: head.field,
        message: head.message,
    })
}

/// The parent that these bytes name: none if there are none, or only zeros.
pub(super) fn parent(bytes: &[u8]) -> Result<Option<SpanId>, Problem> {
    match SpanId::from_slice(bytes) {
        Ok(id) => Ok(Some(id)),
        Err(IdError::Zero | IdError::Length { got: 0, .. }) => Ok(None),
        Err(problem) => Err(Problem::ParentSpanId(problem)),
    }
}

fn check_links(span: &[u8]) -> Result<(), Problem> {
    let links = Fields::of(span).flatten();
    let links = links.filter(|field| field.number == LINKS);
    for (index, link) in links.filter_map(|field| field.bytes()).enumerate() {
        link_ids(index, link)?;
    }
    Ok(())
}

/// The ids of an encoded link; `None` if both are empty or zero, as SDKs may send them.
pub(super) fn link_ids(index: usize, link: &[u8]) -> Result<Option<(TraceId, SpanId)>, Problem> {
    let (mut trace_id, mut span_id): (&[u8], &[u8]) = (&[], &[]);
    for field in Fields::of(link).flatten() {
        match (field.number, field.payload) {
            (1, Payload::Bytes(id)) => trace_id = id,
            (2, Payload::Bytes(id)) => span_id = id,
            _ => {}
        }
    }
    if trace_id.iter().chain(span_id).all(|&byte| byte == 0) {
        return Ok(None);
    }
    let wrong = |field| {
        move |problem| Problem::Link {
            link: index,
            field,
            problem,
        }
    };
    Ok(Some((
        TraceId::from_slice(trace_id).map_err(wrong("traceId"))?,
        SpanId::from_slice(span_id).map_err(wrong("spanId"))?,
    )))
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rejected {
            resource,
            scope,
            span,
            problem,
        } = self;
        write!(
            f,
            "resourceSpans[{resource}].scopeSpans[{scope}].spans[{span}].{problem}"
        )
    }
}
