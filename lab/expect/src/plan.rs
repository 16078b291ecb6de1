//! The nodes of an expectation as a list, in which a number names a node, and what they weigh.

use std::collections::HashMap;

use scenario::{Expectation, Node, Pattern};
use trace::{Span, Value};

use crate::forest::Forest;

/// What a span weighs that is there at all: more than its fields and many spans that should not be
/// there, so that costs below this one are exact.
const PRESENCE: i64 = 1 << 24;
const NAME: i64 = 3;
const SERVICE: i64 = 2;
const KIND: i64 = 1;
/// What any other field weighs.
pub(crate) const FIELD: i64 = 1;
/// No weight and no cost is greater, so that sums of some of them do not overflow.
pub(crate) const HEAVIEST: i64 = 1 << 50;

/// An expectation, ready to be searched for.
pub(crate) struct Plan<'e> {
    pub(crate) items: Vec<Item<'e>>,
    /// The nodes at the top.
    pub(crate) tops: Vec<usize>,
    /// The node that binds each name.
    pub(crate) bound: HashMap<&'e str, usize>,
    /// Whether a link refers to a span that is not above it.
    pub(crate) crosses: bool,
}

/// A node and what the search needs to know of it.
pub(crate) struct Item<'e> {
    pub(crate) node: &'e Node,
    pub(crate) children: Vec<usize>,
    /// What it costs if the span and all below it are missing.
    pub(crate) weight: i64,
    /// The names that its subtree refers to and that are bound above it.
    pub(crate) outer: Vec<&'e str>,
    /// Whether no span anywhere is the one that is meant, so that a span of another name may be
    /// it, renamed.
    pub(crate) lost: bool,
}

/// How a span differs from the one that is meant.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Identity {
    pub(crate) service: bool,
    pub(crate) name: bool,
    pub(crate) kind: bool,
}

// === impl Plan ===

impl<'e> Plan<'e> {
    pub(crate) fn new(expectation: &'e Expectation, forest: &Forest<'_>) -> Self {
        let mut plan = Plan {
            items: Vec::new(),
            tops: Vec::new(),
            bound: HashMap::new(),
            crosses: false,
        };
        let mut above = Vec::new();
        plan.tops = expectation
            .tree
            .iter()
            .map(|node| plan.add(node, forest, &mut above))
            .collect();
        plan
    }

    /// Adds a node and those below it; `above` holds the names that are bound on the way.
    fn add(&mut self, node: &'e Node, forest: &Forest<'_>, above: &mut Vec<&'e str>) -> usize {
        let depth = above.len();
        let mut referred: Vec<&str> = node.links.iter().map(|link| link.to.as_str()).collect();
        above.extend(node.span.bound.as_deref());
        self.crosses |= referred.iter().any(|name| !above.contains(name));
        let children: Vec<usize> = node
            .children
            .iter()
            .map(|child| self.add(child, forest, above))
            .collect();
        above.truncate(depth);

        referred.extend(
            children
                .iter()
                .flat_map(|&child| self.items[child].outer.iter().copied()),
        );
        referred.retain(|name| above.contains(name));
        referred.sort_unstable();
        referred.dedup();
        let index = self.items.len();
        if let Some(name) = &node.span.bound {
            self.bound.insert(name, index);
        }
        self.items.push(Item {
            weight: own_weight(node)
                .saturating_add(children.iter().fold(0i64, |sum, &child| {
                    let times = i64::try_from(self.items[child].node.times.min).unwrap_or(HEAVIEST);
                    sum.saturating_add(self.items[child].weight.saturating_mul(times))
                }))
                .min(HEAVIEST),
            lost: (0..forest.len()).all(|span| identity(&node.span, forest.span(span)).any()),
            node,
            children,
            outer: referred,
        });
        index
    }
}

fn own_weight(node: &Node) -> i64 {
    let fields = node.attributes.len()
        + node.resource.len()
        + node.scope.len()
        + node.events.len()
        + node.links.len()
        + usize::from(node.status.is_some())
        + usize::from(node.duration.is_some());
    let fields = i64::try_from(fields).unwrap_or(HEAVIEST);
    PRESENCE + full_weight(&node.span) + fields.saturating_mul(FIELD)
}

fn full_weight(pattern: &Pattern) -> i64 {
    let said = Identity {
        service: pattern.service.is_some(),
        name: pattern.name.is_some(),
        kind: pattern.kind.is_some(),
    };
    said.weight()
}

// === impl Item ===

impl Item<'_> {
    /// What it costs that a span differs so from the one that is meant, or `None` if it is
    /// clearly another one.
    pub(crate) fn cost(&self, differs: Identity) -> Option<i64> {
        let weight = differs.weight();
        let another = 2 * weight > full_weight(&self.node.span) || (differs.name && !self.lost);
        (!another).then_some(weight)
    }
}

// === impl Identity ===

impl Identity {
    pub(crate) fn weight(self) -> i64 {
        SERVICE * i64::from(self.service)
            + NAME * i64::from(self.name)
            + KIND * i64::from(self.kind)
    }

    pub(crate) fn any(self) -> bool {
        self.service || self.name || self.kind
    }
}

/// How a span differs from the one that is meant.
pub(crate) fn identity(pattern: &Pattern, span: &Span) -> Identity {
    Identity {
        service: pattern.service.as_ref().is_some_and(|want| {
            // A service without a name is not one of the name that SDKs give it.
            !service(span)
                .and_then(Value::as_str)
                .is_some_and(|got| want.matches(got))
        }),
        name: pattern
            .name
            .as_ref()
            .is_some_and(|want| !want.matches(&span.name)),
        kind: pattern.kind.is_some_and(|want| want != span.kind),
    }
}

/// The `service.name` of a span's resource, whatever its type.
pub(crate) fn service(span: &Span) -> Option<&Value> {
    span.resource.attributes.get("service.name")
}
