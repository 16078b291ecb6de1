//! A span with a wrong parent: it fits exactly into a gap of another span.

use trace::Kind;

use super::sequential_calls;
use crate::{
    facts::view::View,
    finding::{Explains, Finding, Rule, Scope, Severity},
    hash::HashMap,
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
    let mut known: HashMap<usize, Inside> = HashMap::default();
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
            let gap =
                before.and_then(|before| gap_that_fits(view, limits, &mut known, before, child));
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
    known: &mut HashMap<usize, Inside>,
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
    let inside = known.entry(at).or_insert_with(|| Inside::of(view, inside));
    let overlaps = inside.overlap(from, to, slack.min(2 * limits.gap_fit_ns));
    let begins = inside
        .last_end(from + slack)
        .unwrap_or(view.span(at).start_ns);
    let ends = inside
        .first_start(to.saturating_sub(slack))
        .unwrap_or(view.span(at).end_ns);
    (!overlaps && begins.abs_diff(from) <= slack && ends.abs_diff(to) <= slack).then_some(at)
}

/// The times of the children of one span, in nanoseconds since the Unix epoch. A search takes the logarithm of
/// their number: many spans may be tried in the gaps of one.
struct Inside {
    /// The starts, the earliest first.
    starts: Vec<u64>,
    /// For each start, the last end of the children that start no later.
    ends_so_far: Vec<u64>,
    /// The ends, the earliest first.
    ends: Vec<u64>,
}

// === impl Inside ===

impl Inside {
    fn of(view: &View<'_>, children: &[usize]) -> Inside {
        let mut ends: Vec<u64> = children.iter().map(|&child| view.end_ns(child)).collect();
        let mut last = 0;
        let so_far = ends.iter().map(|end| {
            last = last.max(*end);
            last
        });
        let ends_so_far = so_far.collect();
        ends.sort_unstable();
        Inside {
            starts: children.iter().map(|&child| view.start_ns(child)).collect(),
            ends_so_far,
            ends,
        }
    }

    /// Whether a child is at work between two times, for longer than `slack` at both.
    fn overlap(&self, from: u64, to: u64, slack: u64) -> bool {
        let begun = self.starts.partition_point(|start| start + slack < to);
        begun > 0 && self.ends_so_far[begun - 1] > from + slack
    }

    /// The last end of a child up to a time.
    fn last_end(&self, until: u64) -> Option<u64> {
        let ended = self.ends.partition_point(|end| *end <= until);
        self.ends[..ended].last().copied()
    }

    /// The first start of a child from a time on.
    fn first_start(&self, from: u64) -> Option<u64> {
        let before = self.starts.partition_point(|start| *start < from);
        self.starts.get(before).copied()
    }
}
