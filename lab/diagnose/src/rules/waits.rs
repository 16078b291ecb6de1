//! Waiting for a lock or for a connection: by spans that say so, and by handovers where none does.
//!
//! Where no span shows the wait, it is a gap before a span; but the gap has a cause that other spans
//! show: one of the same kind, in this trace or another, was at work all through the gap, and the
//! waiting one began the moment that one ended. Seen once that is chance; seen again and again it is a
//! queue. If there is never more than one at work, it is a lock; if there are up to *n*, and always *n*
//! during a gap, it is a pool of *n*.

mod handovers;
mod statements;

use trace::Kind;

use self::{handovers::inferred, statements::inside_statements};

use crate::{
    counted,
    finding::{Finding, Looks, Rule, Severity, ms, words},
    hash::HashMap,
    run::Run,
    view::View,
    wait::{For, Wait},
};

/// `lock-wait`.
pub(crate) static LOCK: Rule = Rule {
    name: "lock-wait",
    severity: Severity::Warning,
    means: "much of a span is spent waiting for a lock that somebody else holds",
    remedy: "hold the lock for less: no calls and no slow queries inside it, smaller transactions, finer locks",
    source: "ours (30 % of the parent and 20 ms)",
    looks: Looks::AtTheRun(look_for_locks),
};

/// `pool-wait`.
pub(crate) static POOL: Rule = Rule {
    name: "pool-wait",
    severity: Severity::Warning,
    means: "much of a span is spent waiting for a free connection of a pool",
    remedy: "give connections back sooner, find who keeps them, make the pool larger (as large as the other side bears)",
    source: "ours (30 % of the parent and 20 ms)",
    looks: Looks::AtTheRun(look_for_pools),
};

fn look_for_locks(run: &Run<'_>, found: &mut dyn FnMut(usize, Finding)) {
    shown(run, For::Lock, found);
    inferred(run, For::Lock, found);
    inside_statements(run, found);
}

fn look_for_pools(run: &Run<'_>, found: &mut dyn FnMut(usize, Finding)) {
    shown(run, For::Connection, found);
    inferred(run, For::Connection, found);
}

/// The rule for what is waited for.
fn rule(what: For) -> &'static Rule {
    match what {
        For::Lock => &LOCK,
        For::Connection => &POOL,
    }
}

/// Waits that are spans.
fn shown(run: &Run<'_>, what: For, found: &mut dyn FnMut(usize, Finding)) {
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
            found(at, of_waiting(view, what, &waits[at]));
        }
    }
    if what == For::Lock {
        holders(run, &waits, found);
    }
}

fn long_waits(view: &View<'_>, run: &Run<'_>) -> Vec<Wait> {
    let wait = |place: usize| {
        let may_wait = matches!(
            view.kind(place),
            Kind::Internal | Kind::Client | Kind::Unspecified
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

fn is_long(view: &View<'_>, run: &Run<'_>, place: usize) -> bool {
    let ns = view.ns(place);
    let parent = view
        .trace
        .parent(place)
        .map_or(ns, |parent| view.ns(parent));
    ns >= run.limits.wait_ns && ns as f64 >= run.limits.wait_share * parent as f64
}

fn of_waiting(view: &View<'_>, what: For, long: &[Wait]) -> Finding {
    let places: Vec<usize> = long.iter().map(|wait| wait.place).collect();
    let total: u64 = places.iter().map(|&place| view.ns(place)).sum();
    let first = places[0];
    let parent = view.trace.parent(first).unwrap_or(first);
    let share = view.ns(first) as f64 / view.ns(parent).max(1) as f64;
    let evidence = format!(
        "{} took {}, {:.0} % of {}.",
        view.place(first),
        words(view.ns(first)),
        share * 100.0,
        view.place(parent)
    );
    let mut spans = view.ids(&places);
    // What is done while it waits, such as the statement that asks for the lock, is the wait.
    for &place in &places {
        spans.extend(view.ids(view.trace.children(place)));
    }
    Finding::new(rule(what), spans, evidence)
        .costs(view.cost(&places))
        .fact("waited_ms", ms(total))
        .fact("share_of_parent", (share * 1_000.0).round() / 1_000.0)
        .fact("times", places.len())
}

/// Who held a lock for which others waited: a span of the same kind as the one that waits, under way
/// all through the wait, and ended when it ended.
fn holders(run: &Run<'_>, waits: &[Vec<Wait>], found: &mut dyn FnMut(usize, Finding)) {
    let mut held: HashMap<(usize, usize), (usize, u64)> = HashMap::default();
    let mut by_parent: HashMap<(String, String), Vec<(usize, usize)>> = HashMap::default();
    for (at, view) in run.views.iter().enumerate() {
        for wait in &waits[at] {
            if let Some(parent) = view.trace.parent(wait.place) {
                let span = view.span(parent);
                by_parent
                    .entry((span.service().to_owned(), span.name.clone()))
                    .or_default();
            }
        }
    }
    if by_parent.is_empty() {
        return;
    }
    for (at, view) in run.views.iter().enumerate() {
        for place in 0..view.len() {
            let span = view.span(place);
            if let Some(places) = by_parent.get_mut(&(span.service().to_owned(), span.name.clone()))
            {
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
            let Some(others) = by_parent.get(&(span.service().to_owned(), span.name.clone()))
            else {
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
            counted(times, "other"),
            words(total)
        );
        found(
            at,
            Finding::new(&LOCK, view.ids(&[place]), evidence)
                .fact("others", times)
                .fact("others_waited_ms", ms(total)),
        );
    }
}

/// When the last thing that a span did had ended: what is behind that is the way back.
fn last_work(view: &View<'_>, place: usize) -> u64 {
    let ends = view
        .trace
        .children(place)
        .iter()
        .map(|&child| view.span(child).end_ns);
    ends.max()
        .unwrap_or(view.span(place).end_ns)
        .min(view.span(place).end_ns)
}

/// By how much the end of one and the beginning of another may lie apart: who waited for long was asleep
/// for long, and is woken late.
fn slack(run: &Run<'_>, waited: u64) -> u64 {
    let least = run.limits.handover_ns;
    least.max((waited / 20).min(5 * least))
}
