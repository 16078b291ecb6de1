//! Compares one node with one span: what differs, and what cannot be known.

use std::time::Duration;

use scenario::{
    Check, Count, DoubleRange, DurationRange, EventNode, LinkNode, Node, Pattern, Reference, Text,
};
use trace::{Kind, Span, StatusCode, is_within};

use crate::{
    attributes::{Holder, attributes_fit, of_holder},
    forest::Forest,
    plan::{FIELD, Identity, Item, identity, identity_but_name},
    reference::{Resolved, Target, resolve},
};

/// A field of a span that differs from the expectation.
#[derive(Clone, Copy)]
pub(crate) struct Mismatch<'a> {
    pub(crate) field: Field<'a>,
    /// Whether the difference is certain; otherwise the sender dropped the data that would decide it.
    pub(crate) certain: bool,
}

/// The field, its expected value, and the source of its actual value.
#[derive(Clone, Copy)]
pub(crate) enum Field<'a> {
    Service(&'a Text),
    Name(&'a Text),
    Kind(Kind),
    Status(StatusCode),
    Duration(DurationRange),
    /// The duration as a share of the parent's duration: the expected range, and the actual share if there is
    /// a parent.
    OfParent(DoubleRange, Option<f64>),
    /// The duration as a multiple of the twin's duration: the expected range, and the actual multiple if it
    /// is known.
    OfTwin(DoubleRange, Option<f64>),
    WithinParent(bool),
    Ancestor(&'a Pattern),
    Attribute(Holder, &'a str, &'a Check),
    Event(&'a EventNode, Seen),
    Link(&'a LinkNode, Target<'a>),
}

/// The number of events that fit an expected event.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) fit: u64,
    /// The number of further events that might fit, but whose sender dropped attributes.
    pub(crate) might: u64,
}

/// The result of comparing a node with a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// The span is as the node says.
    Yes,
    /// The span is as the node says, as far as can be known.
    Unknown,
    /// The span differs, at this cost.
    No(i64),
}

/// Compares all that a node says about the span itself; `None` if it is clearly another span.
pub(crate) fn fit<'a>(
    item: &Item<'a>,
    index: usize,
    forest: &Forest<'_>,
    target: impl Fn(&str) -> Target<'a>,
) -> Option<Fit> {
    let span = forest.span(index);
    let is_named_otherwise = item.is_named_otherwise(span);
    if is_named_otherwise && !item.is_lost(forest) {
        return None;
    }
    let differs = Identity {
        name: is_named_otherwise,
        ..identity_but_name(&item.node.span, span)
    };
    let mut cost = item.cost(differs, forest)?;
    let mut certain = differs.any();
    others(item.node, index, forest, &target, &mut |mismatch| {
        cost += FIELD;
        certain |= mismatch.certain;
    });
    Some(match (cost, certain) {
        (0, _) => Fit::Yes,
        (_, false) => Fit::Unknown,
        (cost, true) => Fit::No(cost),
    })
}

/// All differences between a node and a span, including the identity.
pub(crate) fn mismatches<'a>(
    node: &'a Node,
    index: usize,
    forest: &Forest<'_>,
    target: impl Fn(&str) -> Target<'a>,
) -> Vec<Mismatch<'a>> {
    let mut found = Vec::new();
    let differs = identity(&node.span, forest.span(index));
    let pattern = &node.span;
    let service = pattern
        .service
        .as_ref()
        .filter(|_| differs.service)
        .map(Field::Service);
    let name = pattern
        .name
        .as_ref()
        .filter(|_| differs.name)
        .map(Field::Name);
    let kind = pattern.kind.filter(|_| differs.kind).map(Field::Kind);
    let fields = [service, name, kind].into_iter().flatten();
    found.extend(fields.map(|field| Mismatch {
        field,
        certain: true,
    }));
    others(node, index, forest, &target, &mut |mismatch| {
        found.push(mismatch)
    });
    found
}

/// Reports every field that differs, except the identity.
fn others<'a>(
    node: &'a Node,
    index: usize,
    forest: &Forest<'_>,
    target: &impl Fn(&str) -> Target<'a>,
    report: &mut impl FnMut(Mismatch<'a>),
) {
    let span = forest.span(index);
    let same = |reference: &Reference| resolve(reference, target(&reference.span), forest);
    places(node, index, forest, report);
    // A code that OTLP does not have yet is unset.
    let is_code = |want: &StatusCode| {
        let is_unknown = matches!(span.status.code, StatusCode::Unknown(_));
        *want == span.status.code || (*want == StatusCode::Unset && is_unknown)
    };
    if let Some(want) = node.status.filter(|want| !is_code(want)) {
        report(Mismatch {
            field: Field::Status(want),
            certain: true,
        });
    }
    // A span that ends before it begins has no duration.
    let backwards = span.end_ns < span.start_ns;
    let in_range = |want: &DurationRange| !backwards && want.contains(span.duration());
    if let Some(want) = node.duration.filter(|want| !in_range(want)) {
        report(Mismatch {
            field: Field::Duration(want),
            certain: true,
        });
    }
    let holders = [
        (Holder::Span, &node.attributes),
        (Holder::Resource, &node.resource),
        (Holder::Scope, &node.scope),
    ];
    for (holder, checks) in holders {
        for (key, check) in checks {
            if let Some(certain) = of_holder(holder, key, check, span, &same) {
                report(Mismatch {
                    field: Field::Attribute(holder, key, check),
                    certain,
                });
            }
        }
    }
    for want in &node.events {
        let seen = Seen::of(want, span, &same);
        if let Some(certain) = seen.differs(want.times, span.dropped_events > 0) {
            report(Mismatch {
                field: Field::Event(want, seen),
                certain,
            });
        }
    }
    for want in &node.links {
        let target = target(&want.to);
        if let Some(certain) = link_differs(want, span, forest, target, &same) {
            report(Mismatch {
                field: Field::Link(want, target),
                certain,
            });
        }
    }
}

/// Reports differences in the position of a span and in its time relative to other spans.
fn places<'a>(
    node: &'a Node,
    index: usize,
    forest: &Forest<'_>,
    report: &mut impl FnMut(Mismatch<'a>),
) {
    let span = forest.span(index);
    let parent = forest.parent(index).map(|parent| forest.span(parent));
    let mut certain = |field| {
        report(Mismatch {
            field,
            certain: true,
        });
    };
    if let Some(want) = node.duration_of_parent {
        let share = parent.map(|parent| ratio(span, parent.duration()));
        if !share.is_some_and(|share| want.contains(share)) {
            certain(Field::OfParent(want, share));
        }
    }
    if let Some(want) = node.within_parent {
        // What sticks out by no more than clocks do may be either.
        let is_so = parent.is_some_and(|parent| match want {
            true => is_within(span, parent),
            false => span.start_ns < parent.start_ns || parent.end_ns < span.end_ns,
        });
        if !is_so && (want || parent.is_some()) {
            certain(Field::WithinParent(want));
        }
    }
    if let Some(want) = &node.ancestor {
        let mut above = std::iter::successors(forest.parent(index), |&above| forest.parent(above));
        if !above.any(|above| !identity(want, forest.span(above)).any()) {
            certain(Field::Ancestor(want));
        }
    }
    if let Some(want) = node.duration_of_twin {
        let median = forest.twin().and_then(|twin| twin.median(node.position));
        let factor = median.map(|median| ratio(span, median));
        if !factor.is_some_and(|factor| want.contains(factor)) {
            report(Mismatch {
                field: Field::OfTwin(want, factor),
                certain: factor.is_some(),
            });
        }
    }
}

/// The ratio of a span's duration to another duration.
fn ratio(span: &Span, other: Duration) -> f64 {
    span.duration().as_secs_f64() / other.as_secs_f64().max(1e-9)
}

fn link_differs<'t>(
    want: &LinkNode,
    span: &Span,
    forest: &Forest<'_>,
    target: Target<'_>,
    same: &impl Fn(&Reference) -> Resolved<'t>,
) -> Option<bool> {
    if matches!(target, Target::Missing) {
        return Some(true);
    }
    let mut unknown = span.dropped_links > 0;
    for link in span.links.iter().filter(|link| target.is(link, forest)) {
        match attributes_fit(
            &want.attributes,
            &link.attributes,
            link.dropped_attributes,
            same,
        ) {
            Some(true) => return None,
            Some(false) => {}
            None => unknown = true,
        }
    }
    Some(!unknown)
}

// === impl Seen ===

impl Seen {
    fn of<'t>(want: &EventNode, span: &Span, same: &impl Fn(&Reference) -> Resolved<'t>) -> Self {
        let mut seen = Seen { fit: 0, might: 0 };
        for event in span
            .events
            .iter()
            // Expectations do not see the lab's own events.
            .filter(|event| !event.name.starts_with("lab.") && want.name.matches(&event.name))
        {
            match attributes_fit(
                &want.attributes,
                &event.attributes,
                event.dropped_attributes,
                same,
            ) {
                Some(true) => seen.fit += 1,
                Some(false) => {}
                None => seen.might += 1,
            }
        }
        seen
    }

    /// `None` if the count is right even with the dropped events; otherwise whether it is certainly wrong.
    fn differs(self, times: Count, events_dropped: bool) -> Option<bool> {
        let most = if events_dropped {
            u64::MAX
        } else {
            self.fit + self.might
        };
        let least_right = self.fit >= times.min;
        let most_right = times.max.is_none_or(|max| most <= max);
        if least_right && most_right {
            return None;
        }
        Some(most < times.min || times.max.is_some_and(|max| self.fit > max))
    }
}
