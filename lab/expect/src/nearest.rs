//! Explains why a span is missing: finds the nearest span in the trace.

use trace::{Span, Top};

use crate::{
    forest::Forest,
    matching::Siblings,
    plan::{Plan, identity},
};

/// Searches the span that is nearest to a missing span.
pub(crate) struct Nearest<'s, 'e, 't> {
    plan: &'s Plan<'e>,
    forest: &'s Forest<'t>,
    /// For each span, whether a node is matched with it.
    taken: Vec<bool>,
}

// === impl Nearest ===

impl<'s, 'e, 't> Nearest<'s, 'e, 't> {
    pub(crate) fn new(plan: &'s Plan<'e>, forest: &'s Forest<'t>, top: &Siblings<'_>) -> Self {
        let mut taken = vec![false; forest.len()];
        take(top, &mut taken);
        Nearest {
            plan,
            forest,
            taken,
        }
    }

    /// Explains why a node has no span below a span, or at the top.
    pub(crate) fn why_missing(&self, item: usize, parent: Option<usize>) -> String {
        let fitting: Vec<usize> = self.free().filter(|&span| self.fits(item, span)).collect();
        if let Some(&orphan) = fitting.iter().find(|&&span| self.is(span, Top::Orphan)) {
            return format!("nearest: {}: propagation is broken", self.orphan(orphan));
        }
        let at_top = parent.is_some();
        if let Some(&root) = fitting
            .iter()
            .find(|&&span| at_top && self.is(span, Top::Root))
        {
            let span = self.forest.span(root);
            let (id, trace) = (span.span_id, span.trace_id);
            let of = if self.forest.is_own(root) {
                "this trace".to_owned()
            } else {
                format!("trace {trace}")
            };
            return format!("nearest: {id}, a root of {of}: propagation is broken");
        }
        if let Some(&elsewhere) = fitting
            .iter()
            .find(|&&span| self.forest.parent(span) != parent)
        {
            let id = self.forest.span(elsewhere).span_id;
            return match self.forest.parent(elsewhere) {
                Some(above) => {
                    format!(
                        "nearest: {id}, found under {} instead",
                        name(self.forest.span(above))
                    )
                }
                None => format!("nearest: {id}, whose parents go in a circle"),
            };
        }
        if let Some(orphan) = self.orphaned_child(item) {
            return format!(
                "its child {} is an {}: the span itself did not arrive",
                name(self.forest.span(orphan)),
                self.orphan(orphan)
            );
        }
        match self.beside(item, parent) {
            Some(span) => format!("nearest: {}", self.differs(item, span)),
            None => "nothing in the trace is like it".to_owned(),
        }
    }

    /// The spans that are not matched with a node.
    fn free(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.forest.len()).filter(|span| !self.taken[*span])
    }

    fn fits(&self, item: usize, span: usize) -> bool {
        !identity(&self.plan.items[item].node.span, self.forest.span(span)).any()
    }

    fn is(&self, span: usize, top: Top) -> bool {
        self.forest.top(span) == Some(top)
    }

    fn orphan(&self, index: usize) -> String {
        let span = self.forest.span(index);
        let parent = span
            .parent_span_id
            .map(|id| id.to_string())
            .unwrap_or_default();
        format!("orphan {} (parent {parent} absent)", span.span_id)
    }

    /// An orphan that fits a child of the node.
    fn orphaned_child(&self, item: usize) -> Option<usize> {
        let children = &self.plan.items[item].children;
        self.free().find(|&span| {
            self.is(span, Top::Orphan) && children.iter().any(|&child| self.fits(child, span))
        })
    }

    /// The unmatched sibling that is most similar to the missing span.
    fn beside(&self, item: usize, parent: Option<usize>) -> Option<usize> {
        let pattern = &self.plan.items[item].node.span;
        let like = |span: usize| identity(pattern, self.forest.span(span));
        let beside = self
            .free()
            .filter(|&span| self.forest.parent(span) == parent);
        let near = beside.filter(|&span| {
            let differs = like(span);
            let same = [
                pattern.service.is_some() && !differs.service,
                pattern.name.is_some() && !differs.name,
                pattern.kind.is_some() && !differs.kind,
            ];
            // One common property, such as the service, is not enough.
            same.iter().filter(|same| **same).count() >= 2
                || (pattern.name.is_some() && !differs.name)
        });
        near.min_by_key(|&span| like(span).weight())
    }

    fn differs(&self, item: usize, index: usize) -> String {
        let pattern = &self.plan.items[item].node.span;
        let span = self.forest.span(index);
        let differs = identity(pattern, span);
        let mut but = Vec::new();
        if differs.service {
            but.push(format!("of service {}", span.service()));
        }
        if differs.name {
            but.push(format!("named {:?}", span.name));
        }
        if differs.kind {
            but.push(format!("of kind {}", span.kind));
        }
        if but.is_empty() {
            // The identity of the span fits; its fields or its children differ too much.
            but.push("which differs in too much".to_owned());
        }
        format!("{} in its place, {}", span.span_id, but.join(" and "))
    }
}

fn take(siblings: &Siblings<'_>, taken: &mut [bool]) {
    for pair in &siblings.pairs {
        taken[pair.span] = true;
        take(&pair.children, taken);
    }
}

fn name(span: &Span) -> String {
    format!("{} {}", span.service(), span.name)
}
