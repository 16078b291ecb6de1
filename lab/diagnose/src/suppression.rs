//! Removes weaker findings that a stronger finding explains, and weighs those about time.
//!
//! Each rule lists the findings that it explains. Nothing here knows a rule by its name.

use std::{cell::OnceCell, cmp::Reverse, ops::Range};

use trace::SpanId;

use crate::{
    facts::view::View,
    finding::{ExplainedAt, Finding},
    hash::{HashMap, HashSet},
};

/// Removes the findings that others explain, by the rules of both, and sorts the rest: the most severe first,
/// and of equals the most costly.
pub(crate) fn without_weaker(view: &View<'_>, mut findings: Vec<Finding>) -> Vec<Finding> {
    if findings.is_empty() {
        return findings;
    }
    let places: HashMap<SpanId, usize> = (0..view.len())
        .map(|place| (view.id(place), place))
        .collect();
    for finding in &mut findings {
        let first = finding.spans.first().and_then(|first| places.get(first));
        finding.weigh(first.map_or(0, |&place| view.path_ns(place)));
    }
    // The spans below a finding are computed only if they are needed.
    let reach: Vec<OnceCell<Reach>> = findings.iter().map(|_| OnceCell::new()).collect();
    let order: OnceCell<Order> = OnceCell::new();
    let head = |finding: &Finding| {
        let place = places.get(finding.spans.first()?)?;
        Some(view.head[*place])
    };
    let is_explained = |weaker: &Finding| {
        let explaining = findings.iter().zip(&reach);
        let mut explaining = explaining.filter(|(stronger, _)| stronger.explains);
        explaining.any(|(stronger, cell)| {
            let explains = &stronger.rule.explains;
            let in_request = explains.in_request.contains(&weaker.rule)
                && head(stronger) == head(weaker)
                && !stronger.is_local
                && !weaker.is_local;
            in_request
                || explains.nearby.contains(&weaker.rule) && {
                    let order = order.get_or_init(|| Order::of(view));
                    let reach = cell.get_or_init(|| Reach::of(view, &places, order, stronger));
                    let count = match weaker.explained_at {
                        ExplainedAt::FirstSpan => 1,
                        ExplainedAt::AnySpan => weaker.spans.len(),
                    };
                    weaker
                        .spans
                        .iter()
                        .take(count)
                        .any(|span| reach.contains(*span, &places, order))
                }
        })
    };
    let mut kept: Vec<Finding> = findings
        .iter()
        .filter(|finding| !is_explained(finding))
        .cloned()
        .collect();
    kept.sort_by(|one, other| {
        let key = |finding: &Finding| (finding.severity, finding.cost);
        key(other).cmp(&key(one))
    });
    kept
}

/// The place of each span in the order of the tree, in which all spans below a span follow it.
struct Order {
    /// For each span, its number in that order.
    number: Vec<usize>,
    /// For each span, the number after those of the spans below it.
    end: Vec<usize>,
}

/// The spans of a finding, and all spans below the lowest of them. If a finding names a parent besides its
/// spans, the other children of that parent are not explained.
struct Reach {
    spans: HashSet<SpanId>,
    /// The spans below the lowest ones, as ranges of the [`Order`] that do not overlap, in order.
    below: Vec<Range<usize>>,
}

// === impl Order ===

impl Order {
    fn of(view: &View<'_>) -> Order {
        let walked: Vec<usize> = view.trace.walk().map(|(place, _)| place).collect();
        let mut order = Order {
            number: vec![0; view.len()],
            end: vec![0; view.len()],
        };
        for (number, &place) in walked.iter().enumerate() {
            order.number[place] = number;
            order.end[place] = number + 1;
        }
        for &place in walked.iter().rev() {
            if let Some(parent) = view.trace.parent(place) {
                order.end[parent] = order.end[parent].max(order.end[place]);
            }
        }
        order
    }
}

// === impl Reach ===

impl Reach {
    fn of(
        view: &View<'_>,
        places: &HashMap<SpanId, usize>,
        order: &Order,
        finding: &Finding,
    ) -> Reach {
        let named = || {
            finding
                .spans
                .iter()
                .filter_map(|id| places.get(id).copied())
        };
        let with_named_child: HashSet<usize> = named()
            .filter_map(|place| view.trace.parent(place))
            .collect();
        let lowest = named().filter(|place| !with_named_child.contains(place));
        let mut below: Vec<Range<usize>> = lowest
            .map(|place| order.number[place]..order.end[place])
            .collect();
        below.sort_unstable_by_key(|range| (range.start, Reverse(range.end)));
        // Of two ranges one holds the other, or they do not overlap.
        below.dedup_by(|inner, outer| inner.end <= outer.end);
        Reach {
            spans: finding.spans.iter().copied().collect(),
            below,
        }
    }

    fn contains(&self, span: SpanId, places: &HashMap<SpanId, usize>, order: &Order) -> bool {
        self.spans.contains(&span)
            || places.get(&span).is_some_and(|&place| {
                let number = order.number[place];
                let after = self.below.partition_point(|range| range.start <= number);
                after > 0 && self.below[after - 1].contains(&number)
            })
    }
}
