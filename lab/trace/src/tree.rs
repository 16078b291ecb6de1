//! The tree of a trace, which is well-formed for any hostile trace.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use crate::{Span, SpanId, TraceId};

/// The spans of one trace, ordered by start, with their tree.
///
/// A span is identified by its index in [`Trace::spans`], since a span id may occur twice. Every span is
/// reached exactly once from [`Trace::tops`], for any trace.
#[derive(Clone, Debug)]
pub struct Trace {
    id: TraceId,
    spans: Vec<Span>,
    parents: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
    tops: Vec<usize>,
    /// For each span, why it stands at the top, if it does. Computed once, while the ids are at hand.
    why: Vec<Option<Top>>,
}

/// Why a span stands at the top of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Top {
    /// It names no parent.
    Root,
    /// It names a parent that is not in the trace.
    Orphan,
    /// Its parents lead back to itself; the tree is cut above this one.
    Cycle,
}

/// Groups spans by trace; the spans of each trace are sorted by start.
pub fn group(spans: impl IntoIterator<Item = Span>) -> Vec<Trace> {
    let mut by_id: HashMap<TraceId, Vec<Span>> = HashMap::new();
    for span in spans {
        by_id.entry(span.trace_id).or_default().push(span);
    }
    let mut traces: Vec<Trace> = by_id
        .into_iter()
        .map(|(id, spans)| Trace::new(id, spans))
        .collect();
    traces.sort_by_key(|trace| (trace.start_ns(), trace.id()));
    traces
}

// === impl Trace ===

impl Trace {
    /// Builds the tree. All spans must be of this trace.
    ///
    /// If several spans have the same id, children belong to the earliest of them. A cycle is cut above its
    /// earliest span.
    pub fn new(id: TraceId, mut spans: Vec<Span>) -> Self {
        debug_assert!(spans.iter().all(|span| span.trace_id == id));
        spans.sort_by_key(|span| (span.start_ns, std::cmp::Reverse(span.end_ns)));

        let mut by_id: HashMap<SpanId, usize> = HashMap::with_capacity(spans.len());
        for (index, span) in spans.iter().enumerate() {
            by_id.entry(span.span_id).or_insert(index);
        }
        let mut parents: Vec<Option<usize>> = spans
            .iter()
            .map(|span| by_id.get(&span.parent_span_id?).copied())
            .collect();
        cut_cycles(&mut parents);

        let mut children = vec![Vec::new(); spans.len()];
        let mut tops = Vec::new();
        let mut why = vec![None; spans.len()];
        for (index, parent) in parents.iter().enumerate() {
            if let Some(parent) = parent {
                children[*parent].push(index);
                continue;
            }
            tops.push(index);
            why[index] = Some(match spans[index].parent_span_id {
                None => Top::Root,
                // A span whose parent is in the trace stands at the top only because its cycle was cut.
                Some(named) if by_id.contains_key(&named) => Top::Cycle,
                Some(_) => Top::Orphan,
            });
        }
        Trace {
            id,
            spans,
            parents,
            children,
            tops,
            why,
        }
    }

    /// The id of the trace.
    pub fn id(&self) -> TraceId {
        self.id
    }

    /// The spans, earliest start first.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The span at an index.
    pub fn span(&self, index: usize) -> &Span {
        &self.spans[index]
    }

    /// The parent of a span; `None` if it has none in the trace.
    pub fn parent(&self, index: usize) -> Option<usize> {
        self.parents[index]
    }

    /// The children of a span, earliest start first.
    pub fn children(&self, index: usize) -> &[usize] {
        &self.children[index]
    }

    /// The spans from which all others are reached: roots, orphans, and one span of each cycle.
    pub fn tops(&self) -> &[usize] {
        &self.tops
    }

    /// Why a span stands at the top, or `None` if it does not.
    pub fn top(&self, index: usize) -> Option<Top> {
        self.why[index]
    }

    /// The spans that name no parent.
    pub fn roots(&self) -> impl Iterator<Item = usize> + '_ {
        self.tops_that_are(Top::Root)
    }

    /// The spans whose parent is named and missing.
    pub fn orphans(&self) -> impl Iterator<Item = usize> + '_ {
        self.tops_that_are(Top::Orphan)
    }

    /// All spans in the order of the tree, each with its depth: parents before children.
    ///
    /// The walk uses a stack on the heap, so that a chain of 100,000 spans does not overflow the call stack.
    pub fn walk(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let mut stack: Vec<(usize, usize)> = self.tops.iter().rev().map(|&top| (top, 0)).collect();
        std::iter::from_fn(move || {
            let (index, depth) = stack.pop()?;
            stack.extend(
                self.children[index]
                    .iter()
                    .rev()
                    .map(|&child| (child, depth + 1)),
            );
            Some((index, depth))
        })
    }

    /// The start of its earliest span, in nanoseconds since the Unix epoch; zero without spans.
    pub fn start_ns(&self) -> u64 {
        self.spans.first().map_or(0, |span| span.start_ns)
    }

    /// The end of its last span, in nanoseconds since the Unix epoch; never before the start.
    pub fn end_ns(&self) -> u64 {
        self.spans
            .iter()
            .map(|span| span.end_ns)
            .max()
            .unwrap_or(0)
            .max(self.start_ns())
    }

    /// The time from the start of its earliest span to the end of its last one.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.end_ns() - self.start_ns())
    }

    /// The services of its spans without repetition, in the order in which they first appear.
    pub fn services(&self) -> Vec<&str> {
        let mut seen = HashSet::new();
        self.spans
            .iter()
            .map(Span::service)
            .filter(|service| seen.insert(*service))
            .collect()
    }

    /// The number of its spans with the status error.
    pub fn errors(&self) -> usize {
        self.spans.iter().filter(|span| span.is_error()).count()
    }

    fn tops_that_are(&self, why: Top) -> impl Iterator<Item = usize> + '_ {
        self.tops
            .iter()
            .copied()
            .filter(move |&index| self.top(index) == Some(why))
    }
}

/// Cuts every cycle above its earliest span, so that the parents form a forest.
fn cut_cycles(parents: &mut [Option<usize>]) {
    const UNSEEN: usize = usize::MAX;
    let mut seen_from = vec![UNSEEN; parents.len()];
    for start in 0..parents.len() {
        let mut at = start;
        while seen_from[at] == UNSEEN {
            seen_from[at] = start;
            match parents[at] {
                Some(parent) => at = parent,
                None => break,
            }
        }
        // A walk that returned to one of its own spans found a cycle: `at` is in it.
        if seen_from[at] == start && parents[at].is_some() {
            let mut earliest = at;
            let mut next = parents[at];
            while let Some(member) = next.filter(|&member| member != at) {
                earliest = earliest.min(member);
                next = parents[member];
            }
            if next == Some(at) {
                parents[earliest] = None;
            }
        }
    }
}
