//! The trace and its related traces as one forest; spans are identified by numbers.

use std::{borrow::Cow, cell::OnceCell, collections::HashMap};

use foldhash::fast::RandomState;
use trace::{Fidelity, Link, Span, SpanId, Top, Trace, TraceId};

use crate::Twin;

/// All spans of the check. Those of the trace itself come first.
pub(crate) struct Forest<'t> {
    spans: Vec<&'t Span>,
    parents: Vec<Option<usize>>,
    children: Vec<Cow<'t, [usize]>>,
    tops: Vec<Option<Top>>,
    /// The spans by their ids; built only if a link is looked up.
    ids: OnceCell<HashMap<(TraceId, SpanId), usize>>,
    /// The spans by their names; built only if a name is looked up.
    names: OnceCell<HashMap<&'t str, Vec<usize>, RandomState>>,
    /// Whether every span has its name as it was sent.
    keeps_names: bool,
    /// The number of spans of the trace itself.
    own: usize,
    twin: Option<&'t Twin>,
}

// === impl Forest ===

impl<'t> Forest<'t> {
    pub(crate) fn new(trace: &'t Trace, related: &'t [Trace]) -> Self {
        let mut forest = Forest {
            spans: Vec::new(),
            parents: Vec::new(),
            children: Vec::new(),
            tops: Vec::new(),
            ids: OnceCell::new(),
            names: OnceCell::new(),
            keeps_names: true,
            own: trace.spans().len(),
            twin: None,
        };
        forest.add(trace);
        for other in related.iter().filter(|other| other.id() != trace.id()) {
            forest.add(other);
        }
        forest
    }

    /// Adds a twin, with which durations are compared.
    pub(crate) fn beside(self, twin: Option<&'t Twin>) -> Self {
        Forest { twin, ..self }
    }

    /// The twin, if there is one.
    pub(crate) fn twin(&self) -> Option<&'t Twin> {
        self.twin
    }

    fn add(&mut self, trace: &'t Trace) {
        let base = self.spans.len();
        let count = trace.spans().len();
        self.spans.reserve(count);
        self.parents.reserve(count);
        self.children.reserve(count);
        self.tops.reserve(count);
        for (index, span) in trace.spans().iter().enumerate() {
            self.keeps_names &= span.fidelity == Fidelity::Exact;
            self.spans.push(span);
            self.parents
                .push(trace.parent(index).map(|parent| base + parent));
            let children = trace.children(index);
            self.children.push(match base {
                0 => children.into(),
                _ => children.iter().map(|child| base + child).collect(),
            });
            self.tops.push(trace.top(index));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    pub(crate) fn span(&self, index: usize) -> &'t Span {
        self.spans[index]
    }

    /// The span that a link refers to, if it is in the forest.
    pub(crate) fn find(&self, link: &Link) -> Option<usize> {
        let ids = self.ids.get_or_init(|| {
            let mut ids = HashMap::new();
            for (index, span) in self.spans.iter().enumerate() {
                ids.entry((span.trace_id, span.span_id)).or_insert(index);
            }
            ids
        });
        ids.get(&(link.trace_id, link.span_id)).copied()
    }

    /// Whether it is worth while to look a name up: there are many spans, and every span has its name as it was
    /// sent, in capitals or not.
    pub(crate) fn looks_names_up(&self) -> bool {
        const MANY: usize = 64;
        self.keeps_names && self.spans.len() >= MANY
    }

    /// The spans of exactly this name.
    pub(crate) fn named(&self, name: &str) -> &[usize] {
        let names = self.names.get_or_init(|| {
            let mut names: HashMap<&str, Vec<usize>, RandomState> = HashMap::default();
            for (index, span) in self.spans.iter().enumerate() {
                names.entry(&span.name).or_default().push(index);
            }
            names
        });
        names.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn parent(&self, index: usize) -> Option<usize> {
        self.parents[index]
    }

    pub(crate) fn children(&self, index: usize) -> &[usize] {
        &self.children[index]
    }

    /// Why a span stands at the top of its trace, or `None` if it does not.
    pub(crate) fn top(&self, index: usize) -> Option<Top> {
        self.tops[index]
    }

    /// Whether a span belongs to the checked trace, and not to a related one.
    pub(crate) fn is_own(&self, index: usize) -> bool {
        index < self.own
    }

    /// The spans at the top of all traces, the checked one first.
    pub(crate) fn all_tops(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.spans.len()).filter(|&index| self.tops[index].is_some())
    }

    /// All spans below a span, parents before children. Does not use the call stack.
    pub(crate) fn descendants(&self, index: usize) -> Vec<usize> {
        let mut found = self.children[index].to_vec();
        let mut next = 0;
        while let Some(&span) = found.get(next) {
            found.extend_from_slice(&self.children[span]);
            next += 1;
        }
        found
    }
}
