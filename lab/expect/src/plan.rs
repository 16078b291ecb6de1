//! The nodes of an expectation as a list, identified by numbers, with their weights.

use std::{cell::OnceCell, collections::HashMap};

use scenario::{Check, Expectation, Node, Operand, Pattern, Text, Want};
use trace::{Fidelity, Kind, Span, Value};

use crate::forest::Forest;

/// The weight of the existence of a span: more than its fields and many superfluous spans together, so that
/// costs below this weight are exact.
const PRESENCE: i64 = 1 << 24;
const NAME: i64 = 3;
const SERVICE: i64 = 2;
const KIND: i64 = 1;
/// The weight of any other field.
pub(crate) const FIELD: i64 = 1;
/// The highest weight and cost, so that sums of some of them do not overflow.
pub(crate) const HEAVIEST: i64 = 1 << 50;

/// An expectation, prepared for the search.
pub(crate) struct Plan<'e> {
    pub(crate) items: Vec<Item<'e>>,
    /// The nodes at the top.
    pub(crate) tops: Vec<usize>,
    /// The node that binds each name.
    pub(crate) bound: HashMap<&'e str, usize>,
    /// Whether a node refers to a span that is not above it.
    pub(crate) crosses: bool,
    /// The nodes that such references name.
    pub(crate) crossed: Vec<usize>,
}

/// A node with the data that the search needs.
pub(crate) struct Item<'e> {
    pub(crate) node: &'e Node,
    pub(crate) children: Vec<usize>,
    /// Whether all children are direct ones, without a condition.
    pub(crate) all_direct: bool,
    /// The cost if the span and everything below it are missing.
    pub(crate) weight: i64,
    /// The names that its subtree refers to and that are bound above it.
    pub(crate) outer: Vec<&'e str>,
    /// Whether no span of the trace fits the node's identity, so that a span with another name may be the
    /// same span, renamed. Computed at the first use.
    lost: OnceCell<bool>,
}

/// The differences between a span's identity and the expected one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Identity {
    pub(crate) service: bool,
    pub(crate) name: bool,
    pub(crate) kind: bool,
}

// === impl Plan ===

impl<'e> Plan<'e> {
    pub(crate) fn new(expectation: &'e Expectation) -> Self {
        let mut plan = Plan {
            items: Vec::new(),
            tops: Vec::new(),
            bound: HashMap::new(),
            crosses: false,
            crossed: Vec::new(),
        };
        let mut above = Vec::new();
        let mut crossing = Vec::new();
        plan.tops = expectation
            .tree
            .iter()
            .map(|node| plan.add(node, &mut above, &mut crossing))
            .collect();
        crossing.sort_unstable();
        crossing.dedup();
        plan.crosses = !crossing.is_empty();
        plan.crossed = crossing
            .iter()
            .filter_map(|name| plan.bound.get(name).copied())
            .collect();
        plan
    }

    /// Adds a node and the nodes below it; `above` holds the names that are bound above it. References to
    /// names that are bound elsewhere are added to `crossing`.
    fn add(
        &mut self,
        node: &'e Node,
        above: &mut Vec<&'e str>,
        crossing: &mut Vec<&'e str>,
    ) -> usize {
        let depth = above.len();
        let mut referred: Vec<&str> = references(node);
        above.extend(node.span.bound.as_deref());
        crossing.extend(referred.iter().filter(|name| !above.contains(name)));
        let children: Vec<usize> = node
            .children
            .iter()
            .map(|child| self.add(child, above, crossing))
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
            lost: OnceCell::new(),
            all_direct: !(node.children.iter())
                .any(|child| child.any_depth || child.when.is_some()),
            node,
            children,
            outer: referred,
        });
        index
    }
}

/// The names that a node refers to, without its children.
fn references(node: &Node) -> Vec<&str> {
    let of_links = node.links.iter().flat_map(|link| &link.attributes);
    let of_events = node.events.iter().flat_map(|event| &event.attributes);
    let own = [&node.attributes, &node.resource, &node.scope];
    let checks = own.into_iter().flatten().chain(of_links).chain(of_events);
    let wants = checks.flat_map(|(_, check)| match check {
        Check::AnyOf(wants) => wants.as_slice(),
        Check::Present | Check::Absent => &[],
    });
    let values = wants.filter_map(|want| match want {
        Want::Same(reference) => Some(reference.span.as_str()),
        _ => None,
    });
    let when = node.when.iter().flat_map(|when| {
        let right = match &when.right {
            Operand::Reference(reference) => Some(reference.span.as_str()),
            Operand::Value(_) => None,
        };
        std::iter::once(when.left.span.as_str()).chain(right)
    });
    let links = node.links.iter().map(|link| link.to.as_str());
    links.chain(values).chain(when).collect()
}

fn own_weight(node: &Node) -> i64 {
    let fields = node.attributes.len()
        + node.resource.len()
        + node.scope.len()
        + node.events.len()
        + node.links.len()
        + usize::from(node.status.is_some())
        + usize::from(node.duration.is_some())
        + usize::from(node.duration_of_parent.is_some())
        + usize::from(node.duration_of_twin.is_some())
        + usize::from(node.within_parent.is_some())
        + usize::from(node.ancestor.is_some());
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
    /// The cost of these differences of identity; `None` if it is clearly another span.
    pub(crate) fn cost(&self, differs: Identity, forest: &Forest<'_>) -> Option<i64> {
        let weight = differs.weight();
        let another =
            2 * weight > full_weight(&self.node.span) || (differs.name && !self.is_lost(forest));
        (!another).then_some(weight)
    }

    /// Whether the node asks for another name than the span has.
    pub(crate) fn is_named_otherwise(&self, span: &Span) -> bool {
        let name = self.node.span.name.as_ref();
        name.is_some_and(|want| !want.fits(&span.name, span.fidelity))
    }

    pub(crate) fn is_lost(&self, forest: &Forest<'_>) -> bool {
        *self.lost.get_or_init(|| {
            // The name differs most often.
            let is_another = |span: usize| {
                let span = forest.span(span);
                self.is_named_otherwise(span) || identity(&self.node.span, span).any()
            };
            match &self.node.span.name {
                Some(Text::Exactly(name)) if forest.looks_names_up() => {
                    forest.named(name).iter().all(|&span| is_another(span))
                }
                _ => (0..forest.len()).all(is_another),
            }
        })
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

/// The differences between a span's identity and the pattern.
pub(crate) fn identity(pattern: &Pattern, span: &Span) -> Identity {
    Identity {
        name: pattern
            .name
            .as_ref()
            .is_some_and(|want| !want.fits(&span.name, span.fidelity)),
        ..identity_but_name(pattern, span)
    }
}

/// The differences between a span's identity and the pattern, without looking at the name.
pub(crate) fn identity_but_name(pattern: &Pattern, span: &Span) -> Identity {
    Identity {
        service: pattern.service.as_ref().is_some_and(|want| {
            // A span without a service name does not match the default name of the SDKs.
            !service(span)
                .and_then(Value::as_str)
                .is_some_and(|got| want.fits(got, span.fidelity))
        }),
        name: false,
        kind: pattern.kind.is_some_and(|want| !is_kind(want, span)),
    }
}

/// Whether a span is of a kind. A kind that OTLP does not have yet is unspecified; a format without internal
/// spans does not tell these two from each other.
fn is_kind(want: Kind, span: &Span) -> bool {
    match (want, span.kind, span.fidelity) {
        (want, kind, _) if want == kind => true,
        (Kind::Unspecified, Kind::Unknown(_), _) => true,
        (Kind::Internal, Kind::Unspecified, Fidelity::Text)
        | (Kind::Unspecified, Kind::Internal, Fidelity::Text) => true,
        _ => false,
    }
}

/// The `service.name` of a span's resource, of any type.
pub(crate) fn service(span: &Span) -> Option<&Value> {
    span.resource.attributes.get("service.name")
}
