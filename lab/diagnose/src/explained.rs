//! What one finding explains is not reported again by a weaker one.

use std::cell::OnceCell;

use trace::SpanId;

use crate::{
    finding::Finding,
    hash::{HashMap, HashSet},
    view::View,
};

/// What each finding explains, if the weaker has a span in common with it or with what lies below it.
const EXPLAINS: [(&str, &[&str]); 19] = [
    (
        "span-flood",
        &[
            "n-plus-one",
            "sequential-calls",
            "chatty",
            "unbounded-names",
        ],
    ),
    ("n-plus-one", &["sequential-calls", "chatty", "slow-query"]),
    ("sequential-calls", &["chatty"]),
    (
        "retry-storm",
        &[
            "n-plus-one",
            "sequential-calls",
            "chatty",
            "deadline-exceeded",
            "error",
            "slow-external",
        ],
    ),
    (
        "blocked-runtime",
        &[
            "slow-external",
            "slow-query",
            "lock-wait",
            "pool-wait",
            "abandoned-work",
        ],
    ),
    (
        "deadlock",
        &[
            "lock-wait",
            "pool-wait",
            "slow-query",
            "error",
            "n-plus-one",
        ],
    ),
    // What the holder does while others wait for its lock is why they wait.
    (
        "lock-wait",
        &[
            "slow-query",
            "pool-wait",
            "wrong-parent",
            "chatty",
            "sequential-calls",
            "n-plus-one",
        ],
    ),
    ("pool-wait", &["slow-query", "wrong-parent"]),
    (
        "abandoned-work",
        &["deadline-exceeded", "error", "slow-external"],
    ),
    (
        "deadline-exceeded",
        &["error", "slow-external", "slow-query"],
    ),
    ("dead-letter", &["redelivery", "error"]),
    ("redelivery", &["error"]),
    (
        "broken-propagation",
        &["lost-context", "partial-trace", "slow-external"],
    ),
    ("lost-context", &["partial-trace"]),
    ("partial-trace", &["slow-external"]),
    ("orphan-spans", &["slow-external", "partial-trace"]),
    (
        "clock-skew",
        &["abandoned-work", "wrong-parent", "queue-delay"],
    ),
    ("leaked-secret", &[]),
    ("wrong-parent", &["sequential-calls"]),
];

/// Findings that say how all of a request went, and so need no span in common with what explains them.
const OF_THE_WHOLE: [(&str, &[&str]); 5] = [
    ("lost-context", &["lock-wait", "pool-wait", "wrong-parent"]),
    ("broken-propagation", &["lock-wait", "pool-wait"]),
    ("retry-storm", &["error"]),
    ("abandoned-work", &["error", "deadline-exceeded"]),
    ("deadline-exceeded", &["error"]),
];

pub(crate) fn without_weaker(view: &View<'_>, findings: Vec<Finding>) -> Vec<Finding> {
    if findings.len() < 2 {
        return findings;
    }
    let places: HashMap<SpanId, usize> = (0..view.len())
        .map(|place| (view.id(place), place))
        .collect();
    // What is below a finding is found out only where it matters.
    let reach: Vec<OnceCell<HashSet<SpanId>>> = findings.iter().map(|_| OnceCell::new()).collect();
    let head = |finding: &Finding| {
        let place = places.get(finding.spans.first()?)?;
        Some(view.head[*place])
    };
    let is_explained = |weaker: &Finding| {
        findings.iter().zip(&reach).any(|(stronger, cell)| {
            let listed = |table: &[(&str, &[&str])]| {
                table.iter().any(|(name, explained)| {
                    *name == stronger.rule.name && explained.contains(&weaker.rule.name)
                })
            };
            let of_the_whole = listed(&OF_THE_WHOLE)
                && head(stronger) == head(weaker)
                && !went_well_in_the_end(stronger)
                && !is_shown(weaker);
            of_the_whole
                || listed(&EXPLAINS) && {
                    let reach = cell.get_or_init(|| reach_of(view, &places, stronger));
                    // Where an error came up is what must be explained, not whom it reached.
                    let count = if weaker.rule.name == "error" {
                        1
                    } else {
                        weaker.spans.len()
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
        let key = |finding: &Finding| (finding.rule.severity, finding.cost);
        key(other).cmp(&key(one))
    });
    kept
}

/// The spans of a finding, and all that lies below the lowest of them: of the parent that a finding names
/// beside its spans, the other children are not explained.
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

/// Whether a wait is a span of its own, and not inferred from a gap: what explains a gap does not explain it.
fn is_shown(finding: &Finding) -> bool {
    finding.facts.contains_key("share_of_parent")
}

/// Whether attempts that failed were followed by one that did not: then what failed is something else.
fn went_well_in_the_end(finding: &Finding) -> bool {
    let count = |name| finding.facts.get(name).and_then(|count| count.as_u64());
    match (count("attempts"), count("failures")) {
        (Some(attempts), Some(failures)) => failures < attempts,
        _ => false,
    }
}
