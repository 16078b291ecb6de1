//! Waits for a lock inside a statement.

use std::collections::BTreeMap;

use super::{is_long, last_work, slack};
use crate::{
    facts::{
        call::{Access, Call},
        run::RunFacts,
        shape,
    },
    finding::{Finding, Rule},
    format::{format_ns, ms},
};

/// The highest number of examined writes of one shape: a hostile run has more.
const MOST: usize = 2_000;

/// Reports waits for a lock inside a statement: a write that takes long in several traces and nearly no time
/// in others, each time until the end of another request that had written the same data.
pub(in crate::rules) fn inside_statements(
    run: &RunFacts<'_>,
    rule: &'static Rule,
    found: &mut dyn FnMut(usize, Finding),
) {
    let mut shapes: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
    for (at, view) in run.views.iter().enumerate() {
        for place in 0..view.len() {
            if view.calls[place] == Call::Database(Access::Write) {
                let span = view.span(place);
                let shape = shape::of(span, view.calls[place]);
                shapes
                    .entry(format!("{} {shape}", span.service()))
                    .or_default()
                    .push((at, place));
            }
        }
    }
    for mut places in shapes
        .into_values()
        .filter(|places| places.len() >= run.limits.handovers)
    {
        places.truncate(MOST);
        let shortest = places
            .iter()
            .map(|&(at, place)| run.views[at].ns(place))
            .min()
            .unwrap_or(0);
        let is_held_up = |&&(at, place): &&(usize, usize)| {
            is_long(&run.views[at], run, place) && run.views[at].ns(place) >= 5 * shortest
        };
        let long: Vec<(usize, usize)> = places.iter().filter(is_held_up).copied().collect();
        let waited: Vec<(usize, usize)> = long
            .iter()
            .copied()
            .filter(|&waiting| was_let_go(run, waiting, &places))
            .collect();
        if waited.len() < run.limits.handovers || waited.len() * 5 < long.len() * 3 {
            continue;
        }
        for &(at, place) in &waited {
            let view = &run.views[at];
            let evidence = format!(
                "{} took {}, where it can take {}, and ended when another request was over that had written the \
                 same; so it was {} times: a lock that is kept to the end.",
                view.place(place),
                format_ns(view.ns(place)),
                format_ns(shortest),
                waited.len()
            );
            found(
                at,
                Finding::new(rule, view.ids(&[place]), evidence)
                    .costs(view.below[place].saturating_sub(shortest))
                    .fact("waited_ms", ms(view.ns(place) - shortest))
                    .fact("times", waited.len()),
            );
        }
    }
}

/// Whether a write ended at the end of another request that had started to write the same data before it.
fn was_let_go(run: &RunFacts<'_>, (at, place): (usize, usize), writes: &[(usize, usize)]) -> bool {
    let span = run.views[at].span(place);
    let slack = slack(run, run.views[at].ns(place));
    writes
        .iter()
        .filter(|(other, _)| *other != at)
        .any(|&(other, write)| {
            let view = &run.views[other];
            let entry = view.entry(write);
            let theirs = view.span(write);
            let over = [last_work(view, entry), view.span(entry).end_ns];
            let near = over
                .iter()
                .any(|over| over.abs_diff(span.end_ns) <= 2 * slack);
            theirs.end_ns < span.end_ns && theirs.start_ns < span.end_ns && near
        })
}
