//! [`Matching`]: the pairs of nodes and spans that the search finds and the report shows.

use std::collections::BTreeMap;

use crate::{
    plan::{HEAVIEST, Plan},
    reference::Target,
};

/// The spans that are bound to names.
pub(crate) type Bindings<'e> = BTreeMap<&'e str, usize>;

/// The matching of the whole tree.
pub(crate) struct Matching<'e> {
    pub(crate) top: Siblings<'e>,
    /// The spans with which links across the tree were compared.
    pub(crate) bindings: Bindings<'e>,
    /// Whether the nodes were matched with these same spans. If not, links across the tree could not be
    /// judged.
    pub(crate) consistent: bool,
}

/// The matching of some nodes with some spans.
#[derive(Default)]
pub(crate) struct Siblings<'e> {
    pub(crate) pairs: Vec<Pair<'e>>,
    pub(crate) missing: Vec<Missing>,
    pub(crate) excess: Vec<Excess>,
    /// The total cost.
    pub(crate) cost: i64,
}

/// A node and its span.
pub(crate) struct Pair<'e> {
    pub(crate) item: usize,
    pub(crate) span: usize,
    /// Whether the span and all below it are as the node says: they were matched without cost.
    pub(crate) fits: bool,
    /// The names that are bound above the node and at it.
    pub(crate) scope: Bindings<'e>,
    pub(crate) children: Siblings<'e>,
}

/// A node that lacks `count` spans.
pub(crate) struct Missing {
    pub(crate) item: usize,
    pub(crate) count: u64,
}

/// A span that should not exist.
#[derive(Clone, Copy)]
pub(crate) struct Excess {
    pub(crate) span: usize,
    pub(crate) why: Why,
}

/// Why a span should not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It fits a node that has already the highest number of spans.
    TooMany(usize),
    /// It may fit a node that has already the highest number of spans; the data that would decide it was
    /// dropped.
    MayBeTooMany(usize),
    /// Its parent is closed, and it fits no node.
    Closed,
}

/// The span that a link to a name should refer to.
pub(crate) fn target<'e>(
    plan: &Plan<'e>,
    scope: &Bindings<'e>,
    bindings: Option<&Bindings<'e>>,
    name: &str,
) -> Target<'e> {
    let span = scope.get(name).or_else(|| bindings?.get(name));
    match (span, bindings, plan.bound.get(name)) {
        (Some(&span), ..) => Target::Span(span),
        (None, None, Some(&item)) => Target::Like(&plan.items[item].node.span),
        _ => Target::Missing,
    }
}

// === impl Siblings ===

impl<'e> Siblings<'e> {
    /// Adds a cost `times` times.
    pub(crate) fn charge(&mut self, cost: i64, times: u64) {
        let times = i64::try_from(times).unwrap_or(HEAVIEST);
        self.cost = self
            .cost
            .saturating_add(cost.saturating_mul(times))
            .min(HEAVIEST);
    }

    /// Adds the spans that names are bound to.
    pub(crate) fn bindings(&self, plan: &Plan<'e>, found: &mut Bindings<'e>) {
        for pair in &self.pairs {
            if let Some(name) = &plan.items[pair.item].node.span.bound {
                found.insert(name, pair.span);
            }
            pair.children.bindings(plan, found);
        }
    }
}
