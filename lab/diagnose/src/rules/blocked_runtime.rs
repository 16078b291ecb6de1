//! A process in which everything stands still while one request works: what computes (or blocks) does
//! so on a thread that all requests need.
//!
//! Seen from its spans such a process is quiet for a while, although several requests are under way in
//! it. Quiet alone says little: perhaps all of them wait for somebody else. But here one of them has no
//! call under way, so it works; the quiet ends with the end of its work; and in the very next moment
//! another request moves on. Once that is chance, again and again it is a thread that they share.
//!
//! A process that the machine gives no time is as quiet, and moves on at once. But then it does not stand
//! still alone: another goes on in the same moment, with what has nothing to do with the first.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use trace::{Kind, Resource, Span, Value};

use crate::{
    call::{Access, Call},
    finding::{Finding, Looks, Rule, Severity, ms, words},
    hash::{HashMap, HashSet},
    run::Run,
    shape,
    view::View,
};

/// `blocked-runtime`.
pub(crate) static RULE: Rule = Rule {
    name: "blocked-runtime",
    severity: Severity::Critical,
    means: "while one request works, all others in its process stand still",
    remedy: "move the work off the thread that serves everybody (spawn_blocking, a worker pool), or yield in it",
    source: "ours (50 ms, twice in a run)",
    looks: Looks::AtTheRun(look),
};

/// In the next moment: within this share of the quiet, or this many nanoseconds.
const AT_ONCE: f64 = 0.05;
const AT_ONCE_NS: u64 = 2_000_000;

/// How far apart the ends of works lie on one thread, as a share of the shortest of them.
const SPACED: f64 = 0.7;

/// How late after what went before it a quiet may begin, as a share of it.
const MARGIN: f64 = 0.1;

/// Of the times in which it worked while others were under way, in so many they must have stood still; and
/// for so much of such a time must another process have been quiet, to say that the machine stood still.
const MOSTLY: f64 = 0.5;

/// The moments of each process, in their order.
type Moments = BTreeMap<usize, Vec<Moment>>;

/// A span of a process began or ended.
struct Moment {
    at: u64,
    is_end: bool,
    view: usize,
    place: usize,
}

/// Quiet while others were under way.
struct Quiet {
    ns: u64,
    /// When it was over.
    at: u64,
    /// Whose work it was.
    view: usize,
    /// Others, and one of the spans of each that were under way.
    others: Vec<(usize, usize)>,
    /// Whether one of them moved on at once when it was over.
    moved_on: bool,
    /// Whether another had its turn to work when it was over, and so on until somebody moved on.
    in_turn: bool,
}

fn look(run: &Run<'_>, found: &mut dyn FnMut(usize, Finding)) {
    if run.views.len() < 2 {
        return;
    }
    let mut processes = Processes::default();
    let workers = workers(run, &mut processes);
    if workers.is_empty() {
        return;
    }
    let mut moments = Moments::new();
    for (at, view) in run.views.iter().enumerate() {
        for place in 0..view.len() {
            let known = moments.entry(processes.of(view.span(place))).or_default();
            let (start, end) = (view.start_ns(place), view.end_ns(place));
            for (time, is_end) in [(start, false), (end.max(start), true)] {
                known.push(Moment {
                    at: time,
                    is_end,
                    view: at,
                    place,
                });
            }
        }
    }
    for moments in moments.values_mut() {
        moments.sort_unstable_by_key(|moment| (moment.at, moment.is_end));
    }
    for process in workers {
        for (name, quiets) in quiets(run, &moments, process) {
            judge(run, (process, &mut processes), &name, &quiets, found);
        }
    }
}

/// The processes of a run: an instance of a service, or a service where it does not say which.
#[derive(Default)]
struct Processes {
    by_name: HashMap<String, usize>,
    /// Spans share their resource: where it is says what it is, for as long as the traces are there.
    by_resource: HashMap<*const Resource, usize>,
}

impl Processes {
    fn of(&mut self, span: &Span) -> usize {
        let Processes {
            by_name,
            by_resource,
        } = self;
        *by_resource
            .entry(Arc::as_ptr(&span.resource))
            .or_insert_with(|| {
                let instance = span
                    .resource
                    .attributes
                    .get("service.instance.id")
                    .and_then(Value::as_str);
                let name = format!("{} {}", span.service(), instance.unwrap_or_default());
                let next = by_name.len();
                *by_name.entry(name).or_insert(next)
            })
    }
}

/// Processes in which a step worked for long without a call.
fn workers(run: &Run<'_>, processes: &mut Processes) -> BTreeSet<usize> {
    let mut workers = BTreeSet::new();
    for view in run.views {
        for segment in view.paths.iter().flat_map(|path| &path.segments) {
            let is_long = segment.end_ns - segment.start_ns >= run.limits.blocked_ns;
            if is_long && is_step(view, segment.span) {
                workers.insert(processes.of(view.span(segment.span)));
            }
        }
    }
    workers
}

/// Whether a span is work of its process, and not waiting for somebody else.
fn is_step(view: &View<'_>, place: usize) -> bool {
    matches!(
        view.kind(place),
        Kind::Internal | Kind::Server | Kind::Consumer
    ) && view.calls[place] == Call::None
}

/// For each step with whose end a quiet ended while others were under way: those times.
fn quiets(run: &Run<'_>, of_all: &Moments, process: usize) -> BTreeMap<String, Vec<Quiet>> {
    let moments = &of_all[&process];
    let mut quiets: BTreeMap<String, Vec<Quiet>> = BTreeMap::new();
    // Spans under way, by their trace.
    let mut active: HashMap<usize, HashSet<usize>> = HashMap::default();
    for (at, moment) in moments.iter().enumerate() {
        let ns = at
            .checked_sub(1)
            .map_or(0, |before| moment.at - moments[before].at);
        // Work ends with its span, or goes on to the next step that has one.
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
            let name = view.span(worker).name.clone();
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

/// Another may have its turn to work first, and only then does somebody move on: one that stood still too,
/// or one that was not begun and lay unread.
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

/// The quiet that a moment ended, if what ended was work and others were under way.
fn quiet(
    run: &Run<'_>,
    active: &HashMap<usize, HashSet<usize>>,
    moments: &[Moment],
    at: usize,
    (worker, ns): (usize, u64),
) -> Option<Quiet> {
    let moment = &moments[at];
    let view = &run.views[moment.view];
    let spans = active.get(&moment.view)?;
    // It has no call under way, its own or one that hangs elsewhere, so it worked.
    let calls = spans.iter().any(|&place| !is_step(view, place));
    let above: HashSet<usize> = view.above(worker).collect();
    let alone = spans
        .iter()
        .all(|place| *place == worker || above.contains(place));
    if calls || !alone || !spans.contains(&worker) || !is_step(view, worker) {
        return None;
    }
    // On a thread that is blocked nothing begins or ends: the quiet reaches back to the beginning of the
    // work, or to the end of the work that had its turn before.
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
    // Of each of the others only what it did first: the rest follows from that.
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

/// Whether another process went on in the moment in which a quiet ended, after one of its own, with what
/// did not wait for the first: then neither had time of the machine.
fn another_stood_still(
    run: &Run<'_>,
    active: &HashMap<usize, HashSet<usize>>,
    of_all: &Moments,
    (process, at, ns): (usize, u64, u64),
) -> bool {
    let others = of_all.iter().filter(|(other, _)| **other != process);
    others.into_iter().any(|(_, moments)| {
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
        // A call ends when what is below it in the first process does.
        let view = &run.views[next.view];
        let below = active.get(&next.view).into_iter().flatten();
        !below
            .into_iter()
            .any(|&place| view.above(place).any(|above| above == next.place))
    })
}

/// When the last thing below a span had ended by some time, or the span begun: from then on it worked
/// itself.
fn last_before(view: &View<'_>, place: usize, until: u64) -> u64 {
    let ends = view
        .trace
        .children(place)
        .iter()
        .map(|&child| view.span(child).end_ns);
    let last = ends.filter(|end| *end <= until).max();
    last.unwrap_or(view.span(place).start_ns)
}

/// Whether what moved on is a write that waited for a lock, and not for a thread: the worker had written
/// the same before.
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

/// On one thread works end one after another, each as long after the one before as it takes. Works that
/// overlap and end sooner after each other ran at one time.
fn ran_at_one_time(run: &Run<'_>, worked: &[(usize, usize)]) -> bool {
    let mut tails: Vec<(u64, u64, usize)> = worked
        .iter()
        .map(|&(at, place)| {
            let view = &run.views[at];
            let end = view.span(place).end_ns;
            let last = view
                .trace
                .children(place)
                .iter()
                .map(|&child| view.span(child).end_ns);
            let last = last
                .filter(|last| last + run.limits.blocked_ns <= end)
                .max();
            (end, last.unwrap_or(view.span(place).start_ns), at)
        })
        .filter(|(end, begin, _)| end.saturating_sub(*begin) >= run.limits.blocked_ns)
        .collect();
    tails.sort_unstable();
    let shortest = tails
        .iter()
        .map(|(end, begin, _)| end - begin)
        .min()
        .unwrap_or(0);
    tails.windows(2).any(|two| {
        let ((end, _, one), (next, begin, other)) = (two[0], two[1]);
        let overlap = one != other && begin + AT_ONCE_NS < end;
        overlap && ((next - end) as f64) < SPACED * shortest as f64
    })
}

fn judge(
    run: &Run<'_>,
    (process, processes): (usize, &mut Processes),
    name: &str,
    quiets: &[Quiet],
    found: &mut dyn FnMut(usize, Finding),
) {
    let moved_on = quiets.iter().filter(|quiet| quiet.moved_on).count();
    let stood_still = quiets
        .iter()
        .filter(|quiet| quiet.moved_on || quiet.in_turn);
    let turns = stood_still.count();
    let mostly = turns as f64 >= MOSTLY * quiets.len() as f64;
    // Of requests that come all at once, only at the end of the last turn does anybody move on: then there
    // must be one turn more.
    let least = run.limits.blocked_times;
    let is_seen = moved_on >= least || (moved_on > 0 && turns > least);
    if !is_seen || !mostly {
        return;
    }
    let times = match moved_on >= least {
        true => moved_on,
        false => turns,
    };
    let mut workers: Vec<(usize, usize)> = Vec::new();
    for (at, view) in run.views.iter().enumerate() {
        let mut is_worker = |place: &usize| {
            view.span(*place).name == name
                && view.own[*place] >= run.limits.blocked_ns
                && processes.of(view.span(*place)) == process
        };
        workers.extend(
            (0..view.len())
                .filter(|place| is_worker(place))
                .map(|place| (at, place)),
        );
    }
    if ran_at_one_time(run, &workers) {
        return;
    }
    // For each trace that stood still: for how long, and which of its spans.
    let mut stood: HashMap<usize, (u64, Vec<usize>)> = HashMap::default();
    for quiet in quiets {
        for &(other, place) in &quiet.others {
            let (ns, places) = stood.entry(other).or_default();
            *ns += quiet.ns;
            places.push(place);
        }
    }
    for (at, view) in run.views.iter().enumerate() {
        let worked = workers.iter().filter(|(other, _)| *other == at);
        let worked: Vec<usize> = worked.map(|(_, place)| *place).collect();
        let (still_ns, mut still) = stood.remove(&at).unwrap_or_default();
        still.dedup();
        let (Some(&first), own) = (worked.first().or(still.first()), view.cost_of_own(&worked))
        else {
            continue;
        };
        let evidence = match worked.is_empty() {
            false => format!(
                "{} worked for {} without a call; {times} times in this run all else in its process \
                 stood still until such work was over, and went on at once.",
                view.place(first),
                words(own)
            ),
            true => format!(
                "{} stood still for {} until {name} of other requests was over in its process.",
                view.place(first),
                words(still_ns)
            ),
        };
        let mut spans = view.ids(&worked);
        spans.extend(view.ids(&still));
        found(
            at,
            Finding::new(&RULE, spans, evidence)
                .costs(own + still_ns)
                .fact("worked_ms", ms(own))
                .fact("stood_still_ms", ms(still_ns))
                .fact("times", times)
                .fact("name", name),
        );
    }
}
