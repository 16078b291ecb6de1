//! Removes weaker findings that a stronger finding explains, and weighs those about time.
//!
//! Each rule lists the findings that it explains. Nothing here knows a rule by its name.

use std::cell::OnceCell;

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
    let reach: Vec<OnceCell<HashSet<SpanId>>> = findings.iter().map(|_| OnceCell::new()).collect();
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
                    let reach = cell.get_or_init(|| reach_of(view, &places, stronger));
                    let count = match weaker.explained_at {
                        ExplainedAt::FirstSpan => 1,
                        ExplainedAt::AnySpan => weaker.spans.len(),
                    };
                    weaker
                        .spans
                        .iter()
                        .take(count)
                        .any(|span| reach.contains(span))
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

/// The spans of a finding, and all spans below the lowest of them. If a finding names a parent besides its
/// spans, the other children of that parent are not explained.
fn reach_of(
    view: &View<'_>,
    places: &HashMap<SpanId, usize>,
    finding: &Finding,
) -> HashSet<SpanId> {
    let mut reach: HashSet<SpanId> = finding.spans.iter().copied().collect();
    let named: HashSet<usize> = finding
        .spans
        .iter()
        .filter_map(|id| places.get(id).copied())
        .collect();
    let has_named_child = |place: usize| {
        let mut children = view.trace.children(place).iter();
        children.any(|child| named.contains(child))
    };
    let mut stack: Vec<usize> = named
        .iter()
        .copied()
        .filter(|&place| !has_named_child(place))
        .collect();
    while let Some(place) = stack.pop() {
        reach.insert(view.id(place));
        stack.extend(view.trace.children(place));
    }
    reach
}
