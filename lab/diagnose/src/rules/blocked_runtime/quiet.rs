//! The times in which no span of a process starts or ends, and the spans that end these times.

use std::collections::BTreeMap;

use trace::Kind;

use crate::{
    facts::{
        call::{Access, Call},
        run::RunFacts,
        shape,
        view::View,
    },
    hash::{HashMap, HashSet},
};

/// "Immediately" means: within this share of the quiet, or this number of nanoseconds.
const AT_ONCE: f64 = 0.05;
pub(super) const AT_ONCE_NS: u64 = 2_000_000;

/// The latest start of a quiet after the event before it, as a share of the quiet.
const MARGIN: f64 = 0.1;

/// Two shares. Of the times in which one request worked while others were in progress: the least share in
/// which the others stood still. Of such a time: the least share in which another process was quiet, to
/// conclude that the machine stood still.
pub(super) const MOSTLY: f64 = 0.5;

/// The moments of each process, in order.
pub(super) type Moments = BTreeMap<usize, Vec<Moment>>;

/// The start or the end of a span in a process.
pub(super) struct Moment {
    pub(super) at: u64,
    pub(super) is_end: bool,
    pub(super) view: usize,
    pub(super) place: usize,
}

/// A quiet while other requests were in progress.
pub(super) struct Quiet {
    pub(super) ns: u64,
    /// Its end.
    pub(super) at: u64,
    /// The request that worked.
    pub(super) view: usize,
    /// The other requests, with one span in progress of each.
    pub(super) others: Vec<(usize, usize)>,
    /// Whether one of them continued immediately after the end.
    pub(super) moved_on: bool,
    /// Whether another request had its turn to work after the end, and so on until one continued.
    pub(super) in_turn: bool,
}

/// For each step whose end ended a quiet while other requests were in progress: these quiets.
pub(super) fn quiets(
    run: &RunFacts<'_>,
    of_all: &Moments,
    process: usize,
) -> BTreeMap<String, Vec<Quiet>> {
    let moments = &of_all[&process];
    let mut quiets: BTreeMap<String, Vec<Quiet>> = BTreeMap::new();
    // The spans in progress, by trace.
    let mut active: HashMap<usize, HashSet<usize>> = HashMap::default();
    for (at, moment) in moments.iter().enumerate() {
        let ns = at
            .checked_sub(1)
            .map_or(0, |before| moment.at - moments[before].at);
        // Work ends with its span, or with the start of the next step that has a span.
        let view = &run.views[moment.view];
        let worker = match moment.is_end {
            true => Some(moment.place),
            false => view.trace.parent(moment.place),
        };
        if ns >= run.limits.blocked_ns
            && let Some(worker) = worker
            && let Some(quiet) = quiet(run, &active, moments, at, (worker, ns))
            && !another_stood_still(run, &active, of_all, (process, moment.at, ns))
        {
            let name = view.span(worker).name.to_string();
            quiets.entry(name).or_default().push(quiet);
        }
        let spans = active.entry(moment.view).or_default();
        if moment.is_end {
            spans.remove(&moment.place);
            if spans.is_empty() {
                active.remove(&moment.view);
            }
        } else {
            spans.insert(moment.place);
        }
    }
    quiets.values_mut().for_each(|quiets| take_turns(quiets));
    quiets
}

/// Marks the quiets after which another request had its turn to work before one continued: a request that
/// also stood still, or one that had not been started.
fn take_turns(quiets: &mut [Quiet]) {
    for at in (1..quiets.len()).rev() {
        let next = &quiets[at];
        let (begins, whose) = (next.at - next.ns, next.view);
        let goes_on = next.moved_on || next.in_turn;
        let this = &mut quiets[at - 1];
        let margin = AT_ONCE_NS.max((this.ns as f64 * MARGIN) as u64);
        let follows = begins.saturating_sub(this.at) <= margin;
        this.in_turn = goes_on && follows && whose != this.view;
    }
}

/// The quiet that a moment ended, if the moment ended work and other requests were in progress.
fn quiet(
    run: &RunFacts<'_>,
    active: &HashMap<usize, HashSet<usize>>,
    moments: &[Moment],
    at: usize,
    (worker, ns): (usize, u64),
) -> Option<Quiet> {
    let moment = &moments[at];
    let view = &run.views[moment.view];
    let spans = active.get(&moment.view)?;
    // The request has no call in progress, in this trace or elsewhere, so it worked.
    let calls = spans.iter().any(|&place| !is_step(view, place));
    let above: HashSet<usize> = view.above(worker).collect();
    let alone = spans
        .iter()
        .all(|place| *place == worker || above.contains(place));
    if calls || !alone || !spans.contains(&worker) || !is_step(view, worker) {
        return None;
    }
    // On a blocked thread nothing starts or ends: the quiet reaches back to the start of the work, or to the
    // end of the work of the turn before.
    let quiet_from = moment.at - ns;
    let margin = AT_ONCE_NS.max((ns as f64 * MARGIN) as u64);
    let own_turn = quiet_from <= last_before(view, worker, moment.at) + margin;
    let before = moments[..at].iter().rev();
    let another_turn = before
        .take_while(|before| before.at + margin >= quiet_from)
        .any(|before| {
            let other = &run.views[before.view];
            let worked = other.own[before.place] >= run.limits.blocked_ns;
            before.is_end && before.view != moment.view && is_step(other, before.place) && worked
        });
    if !own_turn && !another_turn {
        return None;
    }
    let mut others: Vec<(usize, usize)> = active
        .iter()
        .filter(|(other, _)| **other != moment.view)
        .filter_map(|(other, spans)| Some((*other, *spans.iter().max()?)))
        .collect();
    if others.is_empty() {
        return None;
    }
    others.sort_unstable();
    let soon = moment.at + AT_ONCE_NS.max((ns as f64 * AT_ONCE) as u64);
    // For each of the others, only its first event counts: the rest follows from it.
    let mut seen = HashSet::default();
    let moved_on = moments[at + 1..]
        .iter()
        .take_while(|next| next.at <= soon)
        .filter(|next| others.iter().any(|(other, _)| *other == next.view))
        .filter(|next| seen.insert(next.view))
        .any(|next| !held_its_lock(view, worker, &run.views[next.view], next.place));
    Some(Quiet {
        ns,
        at: moment.at,
        view: moment.view,
        others,
        moved_on,
        in_turn: false,
    })
}

/// Whether another process continued at the moment in which a quiet ended, after a quiet of its own, with
/// work that did not wait for the first process: then neither had CPU time.
fn another_stood_still(
    run: &RunFacts<'_>,
    active: &HashMap<usize, HashSet<usize>>,
    of_all: &Moments,
    (process, at, ns): (usize, u64, u64),
) -> bool {
    let mut others = of_all.iter().filter(|(other, _)| **other != process);
    others.any(|(_, moments)| {
        let first = moments.partition_point(|moment| moment.at + AT_ONCE_NS < at);
        let Some([before, next]) = first
            .checked_sub(1)
            .and_then(|before| moments.get(before..=first))
        else {
            return false;
        };
        let stood_still =
            next.at <= at + AT_ONCE_NS && (next.at - before.at) as f64 >= MOSTLY * ns as f64;
        if !stood_still || !next.is_end {
            return false;
        }
        // A call ends when the work below it in the first process ends.
        let view = &run.views[next.view];
        let mut below = active.get(&next.view).into_iter().flatten();
        !below.any(|&place| view.above(place).any(|above| above == next.place))
    })
}

/// The last end of a span below this one up to `until`, or the start of this span: from then on the span
/// itself worked.
fn last_before(view: &View<'_>, place: usize, until: u64) -> u64 {
    let ends = view
        .trace
        .children(place)
        .iter()
        .map(|&child| view.span(child).end_ns);
    let last = ends.filter(|end| *end <= until).max();
    last.unwrap_or(view.span(place).start_ns)
}

/// Whether the span that continued is a write that waited for a lock, and not for a thread: the worker had
/// written the same data before.
fn held_its_lock(view: &View<'_>, worker: usize, other: &View<'_>, moved: usize) -> bool {
    if other.calls[moved] != Call::Database(Access::Write) {
        return false;
    }
    let shape = shape::of(other.span(moved), other.calls[moved]);
    let begun = view.span(worker).end_ns;
    (0..view.len()).any(|place| {
        view.calls[place] == Call::Database(Access::Write)
            && view.span(place).end_ns <= begun
            && shape::of(view.span(place), view.calls[place]) == shape
    })
}

/// Whether a span is work of its process, and not a wait for another process.
pub(super) fn is_step(view: &View<'_>, place: usize) -> bool {
    matches!(
        view.kind(place),
        Kind::Internal | Kind::Server | Kind::Consumer
    ) && view.calls[place] == Call::None
}
