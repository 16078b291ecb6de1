//! Waits with a span, and the holder of the lock.

use trace::Kind;

use super::{is_long, last_work};
use crate::{
    facts::{
        run::RunFacts,
        view::View,
        wait::{For, Wait},
    },
    finding::{Finding, Rule},
    format::{format_ns, ms, plural},
    hash::HashMap,
};

/// Reports waits with a span.
pub(in crate::rules) fn shown(
    run: &RunFacts<'_>,
    what: For,
    rule: &'static Rule,
    found: &mut dyn FnMut(usize, Finding),
) {
    let all = run.waits.get_or_init(|| {
        let views = run.views.iter();
        views.map(|view| long_waits(view, run)).collect()
    });
    let is_meant = |wait: &&Wait| wait.what == what;
    if !all.iter().flatten().any(|wait| is_meant(&wait)) {
        return;
    }
    let of_one_trace = |waits: &Vec<Wait>| waits.iter().filter(is_meant).copied().collect();
    let waits: Vec<Vec<Wait>> = all.iter().map(of_one_trace).collect();
    for (at, view) in run.views.iter().enumerate() {
        if !waits[at].is_empty() {
            found(at, of_waiting(view, rule, &waits[at]));
        }
    }
    if what == For::Lock {
        holders(run, rule, &waits, found);
    }
}

fn long_waits(view: &View<'_>, run: &RunFacts<'_>) -> Vec<Wait> {
    let wait = |place: usize| {
        let may_wait = matches!(
            view.kind(place),
            Kind::Internal | Kind::Client | Kind::Unspecified | Kind::Unknown(_)
        );
        let what = (may_wait && is_long(view, run, place))
            .then(|| For::of(&view.span(place).name))
            .flatten()?;
        Some(Wait {
            what,
            place,
            start: view.start_ns(place),
            end: view.end_ns(place),
        })
    };
    (0..view.len()).filter_map(wait).collect()
}

fn of_waiting(view: &View<'_>, rule: &'static Rule, long: &[Wait]) -> Finding {
    let places: Vec<usize> = long.iter().map(|wait| wait.place).collect();
    let total: u64 = places.iter().map(|&place| view.ns(place)).sum();
    let first = places[0];
    let parent = view.trace.parent(first).unwrap_or(first);
    let share = view.ns(first) as f64 / view.ns(parent).max(1) as f64;
    let evidence = format!(
        "{} took {}, {:.0} % of {}.",
        view.place(first),
        format_ns(view.ns(first)),
        share * 100.0,
        view.place(parent)
    );
    let mut spans = view.ids(&places);
    // Spans below the wait, such as the statement that requests the lock, belong to the wait.
    for &place in &places {
        spans.extend(view.ids(view.trace.children(place)));
    }
    Finding::new(rule, spans, evidence)
        .costs(view.cost(&places))
        .fact("waited_ms", ms(total))
        .fact("share_of_parent", (share * 1_000.0).round() / 1_000.0)
        .fact("times", places.len())
        // The explanation of a gap does not explain a wait with a span.
        .local(true)
}

/// Finds the holder of a lock for which others waited: a span of the same kind as the waiting one, which was
/// in progress during the whole wait, and ended at its end.
fn holders(
    run: &RunFacts<'_>,
    rule: &'static Rule,
    waits: &[Vec<Wait>],
    found: &mut dyn FnMut(usize, Finding),
) {
    let mut held: HashMap<(usize, usize), (usize, u64)> = HashMap::default();
    let mut by_parent: HashMap<(&str, &str), Vec<(usize, usize)>> = HashMap::default();
    for (at, view) in run.views.iter().enumerate() {
        for wait in &waits[at] {
            if let Some(parent) = view.trace.parent(wait.place) {
                let span = view.span(parent);
                by_parent.entry((span.service(), &*span.name)).or_default();
            }
        }
    }
    if by_parent.is_empty() {
        return;
    }
    for (at, view) in run.views.iter().enumerate() {
        for place in 0..view.len() {
            let span = view.span(place);
            if let Some(places) = by_parent.get_mut(&(span.service(), &*span.name)) {
                places.push((at, place));
            }
        }
    }
    for (at, view) in run.views.iter().enumerate() {
        for wait in &waits[at] {
            let Some(parent) = view.trace.parent(wait.place) else {
                continue;
            };
            let span = view.span(parent);
            let Some(others) = by_parent.get(&(span.service(), &*span.name)) else {
                continue;
            };
            for &(other, place) in others {
                if other == at {
                    continue;
                }
                let holder = run.views[other].span(place);
                let overlap = holder
                    .end_ns
                    .min(wait.end)
                    .saturating_sub(holder.start_ns.max(wait.start));
                let let_go = last_work(&run.views[other], place);
                let near = wait.end.abs_diff(let_go) <= run.limits.wait_ns / 4;
                if near && overlap >= run.limits.wait_ns / 2 {
                    let (times, total) = held.entry((other, place)).or_default();
                    *times += 1;
                    *total += overlap;
                }
            }
        }
    }
    let mut held: Vec<_> = held.into_iter().collect();
    held.sort_unstable();
    for ((at, place), (times, total)) in held {
        let view = &run.views[at];
        let evidence = format!(
            "{} held a lock for which {} waited {} together.",
            view.place(place),
            plural(times, "other"),
            format_ns(total)
        );
        found(
            at,
            Finding::new(rule, view.ids(&[place]), evidence)
                .for_others(true)
                .fact("others", times)
                .fact("others_waited_ms", ms(total)),
        );
    }
}
