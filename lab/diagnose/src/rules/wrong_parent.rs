//! A span with a wrong parent: it fits exactly into a gap of another span.

use trace::Kind;

use super::sequential_calls;
use crate::{
    facts::view::View,
    finding::{Explains, Finding, Rule, Scope, Severity},
    thresholds::{OURS, Threshold, Thresholds},
};

/// The rule `wrong-parent`.
pub(crate) static RULE: Rule = Rule {
    name: "wrong-parent",
    severity: Severity::Info,
    summary: "a span hangs below another than the one that did it: the tree does not tell who waited for whom",
    remedy: "take the current span as the parent; do not keep a context from earlier and pass it on",
    thresholds: &[
        Threshold::share(
            "how exactly it fills the gap, of its length",
            |limits| limits.gap_fit,
            OURS,
        ),
        Threshold::time("and in any case", |limits| limits.gap_fit_ns, OURS),
    ],
    source: "ours (it fills the gap of another span of its service to 5 %, at both ends)",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains::nearby(&[&sequential_calls::RULE]),
    scope: Scope::Trace(detect),
};

/// The highest number of levels that are searched for a gap, and below, of children: a hostile trace has
/// more.
const DEEP: usize = 64;
const WIDE: usize = 1_024;

fn detect(view: &View<'_>, limits: &Thresholds, found: &mut Vec<Finding>) {
    below_the_last_one(view, limits, found);
    for parent in 0..view.len() {
        let children = view.trace.children(parent);
        if children.len() < 2 {
            continue;
        }
        // The children are in the order of their starts: of the earlier ones, the one that ends last counts.
        let mut longest: Option<usize> = None;
        for &child in children {
            let span = view.span(child);
            let before = longest;
            if longest.is_none_or(|longest| view.span(longest).end_ns < span.end_ns) {
                longest = Some(child);
            }
            // A step may wait for its sibling; a call has a caller.
            if span.kind != Kind::Client {
                continue;
            }
            let gap = before.and_then(|before| gap_that_fits(view, limits, before, child));
            if let Some(gap) = gap {
                let evidence = format!(
                    "{} hangs below {}, and fills a gap of {} exactly, which was at work all the while.",
                    view.place(child),
                    view.place(parent),
                    view.place(gap)
                );
                found.push(
                    Finding::new(&RULE, view.ids(&[child, gap, parent]), evidence)
                        .fact("below", view.place(parent))
                        .fact("belongs_below", view.place(gap)),
                );
            }
        }
    }
}

/// Steps that start at the end of their parent, more than once in a trace, while the request continues: each
/// has the step before it as its parent.
fn below_the_last_one(view: &View<'_>, limits: &Thresholds, found: &mut Vec<Finding>) {
    let mut places = Vec::new();
    for place in 0..view.len() {
        let Some(parent) = view.trace.parent(place) else {
            continue;
        };
        let (span, above) = (view.span(place), view.span(parent));
        let are_steps = span.kind == Kind::Internal && above.kind == Kind::Internal;
        let Some(after) = span
            .start_ns
            .checked_sub(above.end_ns)
            .filter(|_| are_steps)
        else {
            continue;
        };
        let slack = limits
            .gap_fit_ns
            .max((view.ns(parent) as f64 * limits.gap_fit) as u64);
        if after > 2 * slack || span.service() != above.service() || view.ns(place) == 0 {
            continue;
        }
        // Work that ends after the answer was sent was never waited for.
        let entry = view.entry(place);
        if entry != parent && span.end_ns <= view.span(entry).end_ns {
            places.push(place);
        }
    }
    if places.len() < 2 {
        return;
    }
    let first = places[0];
    let evidence = format!(
        "{} and {} more begin when their parent has just ended: each hangs below the step before it.",
        view.place(first),
        places.len() - 1
    );
    found.push(Finding::new(&RULE, view.ids(&places), evidence).fact("spans", places.len()));
}

/// The span that has this gap: it is of the same service, below a sibling, with children before or after the
/// gap.
fn gap_that_fits(
    view: &View<'_>,
    limits: &Thresholds,
    sibling: usize,
    child: usize,
) -> Option<usize> {
    let span = view.span(child);
    let slack = limits
        .gap_fit_ns
        .max((view.ns(child) as f64 * limits.gap_fit) as u64);
    // A span that is not longer than the slack fits everywhere.
    if view.ns(child) < 4 * slack {
        return None;
    }
    let contains = |place: usize| {
        let other = view.span(place);
        other.service() == span.service()
            && other.kind != Kind::Client
            && other.start_ns <= span.start_ns + slack
            && other.end_ns + slack >= span.end_ns
    };
    let mut at = Some(sibling).filter(|&sibling| contains(sibling))?;
    // Down to the innermost span that was at work during the whole time.
    for _ in 0..DEEP {
        // The children are in the order of their starts: a later one does not contain the span.
        let children = view.trace.children(at);
        let begun =
            children.partition_point(|&child| view.span(child).start_ns <= span.start_ns + slack);
        let mut below = children[..begun].iter().rev().copied().take(WIDE);
        match below.find(|&deeper| contains(deeper)) {
            Some(deeper) => at = deeper,
            None => break,
        }
    }
    let inside = view.trace.children(at);
    // Workers of one kind that wait for each other are correctly siblings.
    let common = view.trace.parent(child);
    let mut owners = std::iter::once(at)
        .chain(view.above(at))
        .take_while(|&above| Some(above) != common);
    if inside.is_empty() || owners.any(|owner| view.span(owner).name == span.name) {
        return None;
    }
    let (from, to) = (span.start_ns, span.end_ns);
    let overlaps = inside.iter().any(|&other| {
        let other = view.span(other);
        let slack = slack.min(2 * limits.gap_fit_ns);
        other.start_ns + slack < to && other.end_ns > from + slack
    });
    let begins = inside
        .iter()
        .map(|&other| view.span(other).end_ns)
        .filter(|end| *end <= from + slack)
        .max()
        .unwrap_or(view.span(at).start_ns);
    let ends = inside
        .iter()
        .map(|&other| view.span(other).start_ns)
        .filter(|start| *start + slack >= to)
        .min()
        .unwrap_or(view.span(at).end_ns);
    (!overlaps && begins.abs_diff(from) <= slack && ends.abs_diff(to) <= slack).then_some(at)
}
