//! [`Batch`]: the spans of one trace from one request, in the bytes that came.

use std::sync::Arc;

use otlp::wire::{Fields, put_bytes};
use smallvec::SmallVec;
use trace::otlp::{DecodeError, Found, SpanHead, walk};

use super::{
    envelope::Scope,
    marks::{Mark, Marker, Marks},
    size::allocated,
};

/// The spans of one trace from one request.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The spans, one behind the other, each as a field of `ScopeSpans`.
    pub(super) bytes: Box<[u8]>,
    pub(super) runs: SmallVec<[Run; 2]>,
}

/// The batches of a trace, in the order in which they came.
pub(super) type Batches = SmallVec<[Arc<Batch>; 1]>;

/// Spans of a batch that follow each other and have one scope.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) scope: Arc<Scope>,
    /// The place behind the last of them in the bytes of the batch.
    pub(super) end: u32,
}

/// What the index knows of a trace, or learns from a batch.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) spans: u32,
    pub(super) errors: u32,
    pub(super) roots: u32,
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) first: First,
    pub(super) marks: Marks,
}

/// The span that names a trace: a root before any other, then the earliest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct First {
    pub(super) has_parent: bool,
    pub(super) start_ns: u64,
    /// The place of the batch among those of the trace.
    pub(super) batch: u32,
    /// The place of the span in the bytes of the batch.
    pub(super) at: u32,
}

// === impl Batch ===

impl Batch {
    /// The bytes of memory that it takes.
    pub(super) fn weight(&self) -> usize {
        weight(self.bytes.len(), self.runs.len())
    }

    /// The runs, with the bytes of their spans.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (&Arc<Scope>, &[u8])> {
        let mut start = 0;
        self.runs.iter().map(move |run| {
            let end = run.end as usize;
            let bytes = &self.bytes[start..end];
            start = end;
            (&run.scope, bytes)
        })
    }

    /// The encoded span at this place, and its scope.
    pub(super) fn span_at(&self, at: u32) -> Option<(&Arc<Scope>, &[u8])> {
        let run = self.runs.iter().find(|run| at < run.end)?;
        let field = Fields::of(&self.bytes[at as usize..]).next()?.ok()?;
        Some((&run.scope, field.bytes()?))
    }

    /// The first spans of a batch, as many as weigh no more than this; `None` if none does.
    #[cold]
    pub(super) fn first_within(&self, room: usize, marker: &Marker) -> Option<(Batch, Facts)> {
        let mut part = Batch {
            bytes: Box::default(),
            runs: SmallVec::new(),
        };
        let (mut bytes, mut facts) = (Vec::new(), Facts::default());
        'runs: for (scope, spans) in self.runs() {
            let service = marker.service(scope.resource().service());
            let before = bytes.len();
            for field in Fields::of(spans).flatten() {
                if weight(bytes.len() + field.whole.len(), part.runs.len() + 1) > room {
                    break 'runs;
                }
                each_head(field.whole, |head| {
                    facts.add_span(head, bytes.len(), marker, service);
                });
                bytes.extend_from_slice(field.whole);
                if bytes.len() == before + field.whole.len() {
                    part.runs.push(Run {
                        scope: Arc::clone(scope),
                        end: 0,
                    });
                }
                if let Some(run) = part.runs.last_mut() {
                    run.end = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                }
            }
        }
        part.bytes = bytes.into();
        (facts.spans > 0).then_some((part, facts))
    }
}

/// The encoded spans among the bytes of a batch.
pub(super) fn messages(spans: &[u8]) -> impl Iterator<Item = &[u8]> {
    let fields = Fields::of(spans).map_while(Result::ok);
    fields.filter_map(|field| field.bytes())
}

/// The memory that a batch of so many bytes and runs takes.
fn weight(bytes: usize, runs: usize) -> usize {
    let runs = match runs {
        0..=2 => 0,
        more => allocated(more.next_power_of_two() * size_of::<Run>()),
    };
    allocated(size_of::<Batch>() + 16) + allocated(bytes) + runs
}

/// Calls back with the head of each span of an encoded `ScopeSpans`.
fn each_head(scope_spans: &[u8], mut each: impl FnMut(&SpanHead<'_>)) {
    let (mut resource, mut request) = (Vec::new(), Vec::new());
    put_bytes(2, scope_spans, &mut resource);
    put_bytes(1, &resource, &mut request);
    // It was walked before, so it has no error.
    let _ = walk(&request, |found| {
        if let Found::Span(head) = found {
            each(&head);
        }
        Ok::<(), DecodeError>(())
    });
}

// === impl Facts ===

impl Facts {
    /// Adds a span that stands at this place of its batch.
    #[inline]
    pub(super) fn add_span(
        &mut self,
        head: &SpanHead<'_>,
        at: usize,
        marker: &Marker,
        service: Mark,
    ) {
        let first = First {
            has_parent: !head.is_root,
            start_ns: head.start_ns,
            batch: 0,
            at: u32::try_from(at).unwrap_or(u32::MAX),
        };
        if self.spans == 0 || first < self.first {
            self.first = first;
        }
        self.spans += 1;
        self.errors += u32::from(head.is_error);
        self.roots += u32::from(head.is_root);
        self.start_ns = self.start_ns.min(head.start_ns);
        self.end_ns = self.end_ns.max(head.end_ns);
        let name = marker.name(head.name);
        self.marks.add(name);
        self.marks.add(service);
        self.marks.add(name.of(service));
    }

    /// Adds the facts of another batch of the same trace.
    pub(super) fn add(&mut self, other: &Facts) {
        self.first = self.first.min(other.first);
        self.spans = self.spans.saturating_add(other.spans);
        self.errors = self.errors.saturating_add(other.errors);
        self.roots = self.roots.saturating_add(other.roots);
        self.start_ns = self.start_ns.min(other.start_ns);
        self.end_ns = self.end_ns.max(other.end_ns);
        self.marks.add_all(&other.marks);
    }
}

impl Default for Facts {
    fn default() -> Self {
        Facts {
            spans: 0,
            errors: 0,
            roots: 0,
            start_ns: u64::MAX,
            end_ns: 0,
            first: First {
                has_parent: true,
                start_ns: u64::MAX,
                batch: 0,
                at: 0,
            },
            marks: Marks::default(),
        }
    }
}
