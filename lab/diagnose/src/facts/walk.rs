//! The walk through a trace: from the root, at each span to the child with the largest part of the critical
//! path, until the span where the time is really spent.

use trace::SpanId;

use super::view::View;
use crate::hash::HashMap;

/// The walk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// The spans, from the root down.
    pub steps: Vec<Step>,
}

/// A step of the walk: a span, or several similar siblings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The span; of several similar spans, the longest.
    pub span_id: SpanId,
    /// Its place in the trace.
    pub place: usize,
    /// The number of similar siblings, including the span itself.
    pub alike: usize,
    /// The part of the critical path that belongs to these spans and the spans below them, in nanoseconds.
    pub below_ns: u64,
    /// The part that is the own time of these spans, in nanoseconds.
    pub own_ns: u64,
}

pub(crate) fn walk(view: &View<'_>) -> Walk {
    let Some(root) = view.root() else {
        return Walk::default();
    };
    let mut steps = Vec::new();
    let mut group = vec![root];
    loop {
        let step = step(view, &group);
        // The walk goes to the children of all similar spans: two hundred calls are one step.
        let next = largest_below(view, &group);
        let below = next.as_ref().map_or(0, |next| view.cost(next));
        let own = step.own_ns;
        steps.push(step);
        match next {
            Some(next) if below > 0 && below >= own => group = next,
            _ => return Walk { steps },
        }
    }
}

fn step(view: &View<'_>, group: &[usize]) -> Step {
    let longest = group
        .iter()
        .copied()
        .max_by_key(|&place| (view.below[place], std::cmp::Reverse(place)));
    let place = longest.unwrap_or_default();
    Step {
        span_id: view.id(place),
        place,
        alike: group.len(),
        below_ns: view.cost(group),
        own_ns: group.iter().map(|&place| view.own[place]).sum(),
    }
}

/// The services and names that were met, in the order in which they were met first.
#[derive(Default)]
struct Known<'v> {
    few: Vec<(&'v str, &'v str)>,
    many: HashMap<(&'v str, &'v str), usize>,
}

impl<'v> Known<'v> {
    /// The number up to which a list is faster than a map.
    const FEW: usize = 8;

    /// The place of a service and name; the next free one for one that was not met before.
    fn of(&mut self, name: (&'v str, &'v str)) -> usize {
        if let Some(place) = self.few.iter().position(|known| *known == name) {
            return place;
        }
        if self.few.len() < Self::FEW {
            self.few.push(name);
            return self.few.len() - 1;
        }
        let next = Self::FEW + self.many.len();
        *self.many.entry(name).or_insert(next)
    }
}

/// The children of one service and name that have the largest part of the critical path.
fn largest_below(view: &View<'_>, group: &[usize]) -> Option<Vec<usize>> {
    let mut alike: Vec<(u64, Vec<usize>)> = Vec::new();
    let mut known: Known<'_> = Known::default();
    for &parent in group {
        for &child in view.trace.children(parent) {
            // Work that a message started is on a separate path.
            if view.head[child] == child {
                continue;
            }
            let span = view.span(child);
            let place = known.of((span.service(), &span.name));
            if place == alike.len() {
                alike.push((0, Vec::new()));
            }
            alike[place].0 += view.below[child];
            alike[place].1.push(child);
        }
    }
    let largest = alike.into_iter().rev().max_by_key(|(below, _)| *below);
    largest.map(|(_, group)| group)
}
