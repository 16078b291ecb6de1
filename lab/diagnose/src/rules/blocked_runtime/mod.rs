//! A process in which everything stands still while one request works: the request computes (or blocks) on a
//! thread that all requests need.
//!
//! In its spans such a process is quiet for a while, although several requests are in progress. Quiet alone
//! proves little: all of them may wait for another service. But here one of them has no call in progress, so
//! it works; the quiet ends with the end of its work; and immediately after that another request continues.
//! Once this may be chance, repeatedly it is a shared thread.
//!
//! A process without CPU time is also quiet, and continues immediately. But then it is not the only one that
//! stands still: another process continues at the same moment, with work that is unrelated to the first.

mod quiet;

use std::{collections::BTreeSet, sync::Arc};

use trace::{Resource, Span, Value};

use self::quiet::{AT_ONCE_NS, MOSTLY, Moment, Moments, Quiet, is_step, quiets};
use super::{abandoned_work, lock_wait, pool_wait, slow_external, slow_query};
use crate::{
    facts::run::RunFacts,
    finding::{Explains, Finding, Rule, Scope, Severity},
    format::{format_ns, ms},
    hash::HashMap,
    thresholds::{OURS, Threshold},
};

/// The rule `blocked-runtime`.
pub(crate) static RULE: Rule = Rule {
    name: "blocked-runtime",
    severity: Severity::Critical,
    summary: "while one request works, all others in its process stand still",
    remedy: "move the work off the thread that serves all requests (spawn_blocking, a worker pool), or yield in it",
    thresholds: &[
        Threshold::time(
            "how long the process stands still",
            |limits| limits.blocked_ns,
            OURS,
        ),
        Threshold::count("how often in a run", |limits| limits.blocked_times, OURS),
        Threshold::time("until another moves on, at most", |_| AT_ONCE_NS, OURS),
        Threshold::share(
            "of the times that it worked beside others",
            |_| MOSTLY,
            OURS,
        ),
    ],
    source: "ours (50 ms, twice in a run)",
    of_the_load: true,
    about_time: true,
    needs_complete_traces: false,
    explains: Explains::nearby(&[
        &slow_external::RULE,
        &slow_query::RULE,
        &lock_wait::RULE,
        &pool_wait::RULE,
        &abandoned_work::RULE,
    ]),
    scope: Scope::Run(detect),
};

/// The shortest distance between the ends of work on one thread, as a share of the shortest work. A process
/// that has half of a core gets it in pieces of 50 ms: the same work then lasts 200 ms once and 300 ms
/// another time.
const SPACED: f64 = 0.5;

fn detect(run: &RunFacts<'_>, found: &mut dyn FnMut(usize, Finding)) {
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

/// The processes of a run: an instance of a service, or a service without a known instance.
#[derive(Default)]
struct Processes {
    by_name: HashMap<String, usize>,
    /// The processes by the addresses of their resources: spans share a resource, whose address is stable
    /// while the traces exist.
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

/// The processes in which a step worked for a long time without a call.
fn workers(run: &RunFacts<'_>, processes: &mut Processes) -> BTreeSet<usize> {
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

/// Whether works ran at the same time. On one thread works end one after another, each at least its own
/// duration after the one before. Works that overlap and end at shorter distances ran at the same time.
fn ran_at_one_time(run: &RunFacts<'_>, worked: &[(usize, usize)]) -> bool {
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
    run: &RunFacts<'_>,
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
    // If requests arrive all at the same time, one of them continues only at the end of the last turn: then
    // one more turn is required.
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
    // For each trace that stood still: the duration, and its spans.
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
                format_ns(own)
            ),
            true => format!(
                "{} stood still for {} until {name} of other requests was over in its process.",
                view.place(first),
                format_ns(still_ns)
            ),
        };
        let mut spans = view.ids(&worked);
        spans.extend(view.ids(&still));
        found(
            at,
            Finding::new(&RULE, spans, evidence)
                .costs(own + still_ns)
                .for_others(!worked.is_empty())
                .fact("worked_ms", ms(own))
                .fact("stood_still_ms", ms(still_ns))
                .fact("times", times)
                .fact("name", name),
        );
    }
}
