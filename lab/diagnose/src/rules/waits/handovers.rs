//! Waits without a span, recognized by their handovers.

use std::collections::BTreeMap;

use trace::{Kind, SpanId, Value};

use super::slack;
use crate::{
    facts::{
        call::{self, Call},
        run::RunFacts,
        shape,
        view::View,
        wait::{For, Gap},
    },
    finding::{Finding, Rule},
    format::{format_ns, ms},
    hash::{HashMap, HashSet},
};

/// Spans of one kind that may wait for each other, with their times.
#[derive(Default)]
struct Group {
    /// Start, end, trace and place, in the order of the starts.
    members: Vec<(u64, u64, usize, usize)>,
    most: usize,
    is_database: bool,
}

/// A gap that a handover explains.
struct Handover {
    view: usize,
    place: usize,
    parent: usize,
    gap: u64,
    before: Option<SpanId>,
}

/// Reports waits without a span.
pub(in crate::rules) fn inferred(
    run: &RunFacts<'_>,
    what: For,
    rule: &'static Rule,
    found: &mut dyn FnMut(usize, Finding),
) {
    let gaps = run.gaps.get_or_init(|| gaps(run));
    if gaps.len() < run.limits.handovers {
        return;
    }
    let mut wanted: HashMap<String, Vec<Gap>> = HashMap::default();
    for gap in gaps {
        let key = key(&run.views[gap.0], gap.1);
        wanted.entry(key).or_default().push(*gap);
    }
    let mut groups: HashMap<&String, Group> =
        wanted.keys().map(|key| (key, Group::default())).collect();
    for (at, view) in run.views.iter().enumerate() {
        for place in 0..view.len() {
            if !may_queue(view, place) {
                continue;
            }
            if let Some(group) = groups.get_mut(&key(view, place)) {
                let span = view.span(place);
                group.is_database = matches!(view.calls[place], Call::Database(_));
                group.members.push((span.start_ns, span.end_ns, at, place));
            }
        }
    }
    let others = long_spans(run, &wanted);
    let mut keys: Vec<&String> = wanted.keys().collect();
    keys.sort_unstable();
    for key in keys {
        let Some(group) = groups.get_mut(key) else {
            continue;
        };
        group.members.sort_unstable();
        group.most = most_at_once(&group.members);
        let is_lock = group.most == 1;
        if is_lock != (what == For::Lock) || group.most == 0 {
            continue;
        }
        let gaps = &wanted[key];
        let handovers: Vec<Handover> = gaps
            .iter()
            .filter_map(|gap| handover(run, group, gap))
            .collect();
        // Most of the gaps must have such an explanation; otherwise the explained ones are chance.
        let needed = run
            .limits
            .handovers
            .max(if is_lock { 0 } else { group.most });
        if handovers.len() < needed || handovers.len() * 5 < gaps.len() * 3 {
            if is_lock {
                held_by_another(run, rule, group, gaps, &others, found);
            }
            continue;
        }
        report(run, group, (what, rule), &handovers, found);
    }
}

/// The spans of services with gaps, by kind, if they are long enough to make another wait.
fn long_spans(run: &RunFacts<'_>, wanted: &HashMap<String, Vec<Gap>>) -> BTreeMap<String, Members> {
    let gaps = wanted.values().flatten();
    let services: HashSet<&str> = gaps
        .map(|gap| run.views[gap.0].span(gap.1).service())
        .collect();
    let mut others: BTreeMap<String, Members> = BTreeMap::new();
    for (at, view) in run.views.iter().enumerate() {
        for place in 0..view.len() {
            let span = view.span(place);
            let is_long = view.ns(place) >= run.limits.wait_ns && may_queue(view, place);
            if is_long && services.contains(span.service()) {
                let known = others.entry(key(view, place)).or_default();
                known.push((span.start_ns, span.end_ns, at, place));
            }
        }
    }
    others
}

/// Spans that may hold a lock: start, end, trace and place of each.
type Members = Vec<(u64, u64, usize, usize)>;

/// Waits for a lock that a span of another kind holds: the two kinds never run at the same time, and a span
/// of one kind ends when the wait of the other ends.
fn held_by_another(
    run: &RunFacts<'_>,
    rule: &'static Rule,
    group: &Group,
    gaps: &[Gap],
    others: &BTreeMap<String, Members>,
    found: &mut dyn FnMut(usize, Finding),
) {
    let is_in_a_gap = |&(from, to, at, _): &(u64, u64, usize, usize)| {
        gaps.iter().any(|&(view, place, _, start)| {
            let end = run.views[view].span(place).start_ns;
            at != view && 2 * to.min(end).saturating_sub(from.max(start)) >= end - start
        })
    };
    for holders in others
        .values()
        .filter(|holders| holders.iter().any(is_in_a_gap))
    {
        let mut members: Members = group.members.iter().chain(holders).copied().collect();
        members.sort_unstable();
        members.dedup();
        let both = Group {
            most: most_at_once(&members),
            members,
            is_database: false,
        };
        let handovers: Vec<Handover> = match both.most {
            1 => gaps
                .iter()
                .filter_map(|gap| handover(run, &both, gap))
                .collect(),
            _ => continue,
        };
        if handovers.len() >= run.limits.handovers && handovers.len() * 5 >= gaps.len() * 3 {
            report(run, &both, (For::Lock, rule), &handovers, found);
            return;
        }
    }
}

/// Whether a span can wait for others of its kind: calls to a database, and steps.
fn may_queue(view: &View<'_>, place: usize) -> bool {
    match view.calls[place] {
        Call::Database(_) => true,
        Call::None => view.kind(place) == Kind::Internal,
        _ => false,
    }
}

/// The key of a group of spans that may wait for each other.
fn key(view: &View<'_>, place: usize) -> String {
    let span = view.span(place);
    // Locks and pools belong to a process. If the process is unknown, the service is used.
    let said = |key: &str| match span.resource.attributes.get(key) {
        Some(Value::String(text)) => text.to_string(),
        Some(Value::Int(number)) => number.to_string(),
        _ => String::new(),
    };
    let instance = match said("service.instance.id") {
        none if none.is_empty() => said("host.name") + &said("process.pid"),
        instance => instance,
    };
    let service = span.service();
    match view.calls[place] {
        Call::Database(_) => {
            let keys = ["db.namespace", "db.name", "server.address", "net.peer.name"];
            let name = call::text(span, &keys).unwrap_or_default();
            format!("{service} {instance} database {name}")
        }
        _ => format!("{service} {instance} {}", shape::name(&span.name)),
    }
}

fn gaps(run: &RunFacts<'_>) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for (at, view) in run.views.iter().enumerate() {
        for parent in 0..view.len() {
            let ns = view.ns(parent);
            if ns < run.limits.wait_ns || matches!(view.kind(parent), Kind::Client | Kind::Producer)
            {
                continue;
            }
            let mut until = view.start_ns(parent);
            for &child in view.trace.children(parent) {
                let (start, end) = (view.start_ns(child), view.end_ns(child));
                let gap = start.saturating_sub(until);
                let is_long =
                    gap >= run.limits.wait_ns && gap as f64 >= run.limits.wait_share * ns as f64;
                if is_long && start <= view.end_ns(parent) && may_queue(view, child) {
                    gaps.push((at, child, parent, until));
                }
                until = until.max(end);
            }
        }
    }
    gaps
}

/// The resolution of a coarse clock, in nanoseconds.
const CLOCK_NS: u64 = 1_000_000;

fn most_at_once(members: &[(u64, u64, usize, usize)]) -> usize {
    let mut ends: std::collections::BinaryHeap<std::cmp::Reverse<u64>> =
        std::collections::BinaryHeap::new();
    let mut most = 0;
    for &(start, end, ..) in members {
        // Some clocks report starts in whole milliseconds: a shorter overlap does not count.
        let blur = CLOCK_NS.min(end.saturating_sub(start) / 10);
        while ends.peek().is_some_and(|first| first.0 <= start + blur) {
            ends.pop();
        }
        if end > start {
            ends.push(std::cmp::Reverse(end));
        }
        most = most.max(ends.len());
    }
    most
}

/// The number of members before a gap among which those at work in the gap are searched.
const BEFORE: usize = 1_024;

/// Whether all places were taken during a gap, and one span ended at its end.
fn handover(
    run: &RunFacts<'_>,
    group: &Group,
    &(view, place, parent, start): &Gap,
) -> Option<Handover> {
    let end = run.views[view].span(place).start_ns;
    let slack = slack(run, end - start);
    // The members that start before the gap ends. Those that started long before may still be in progress.
    let last = group.members.partition_point(|(begin, ..)| *begin < end);
    let mut within: Vec<(u64, u64)> = Vec::new();
    let mut before = None;
    for &(begin, finish, at, other) in &group.members[last.saturating_sub(BEFORE)..last] {
        if finish <= start || (at, other) == (view, place) {
            continue;
        }
        within.push((begin.max(start), finish.min(end)));
        let distance = end.saturating_sub(finish);
        if finish <= end + slack && distance <= slack {
            before = Some(run.views[at].id(other));
        }
    }
    before?;
    // The time in which all places were taken, except for the moments of a handover.
    let busy: u64 = within
        .iter()
        .map(|(from, to)| to.saturating_sub(*from))
        .sum();
    let full = (end - start) * group.most as u64;
    let holes = slack * (within.len() as u64 + 1);
    (busy + holes.min(full / 5) >= full).then_some(Handover {
        view,
        place,
        parent,
        gap: end - start,
        before,
    })
}

fn report(
    run: &RunFacts<'_>,
    group: &Group,
    (what, rule): (For, &'static Rule),
    handovers: &[Handover],
    found: &mut dyn FnMut(usize, Finding),
) {
    let mut traces: Vec<usize> = handovers.iter().map(|handover| handover.view).collect();
    traces.dedup();
    traces.sort_unstable();
    traces.dedup();
    for at in traces {
        let view = &run.views[at];
        let here: Vec<&Handover> = handovers
            .iter()
            .filter(|handover| handover.view == at)
            .collect();
        let total: u64 = here.iter().map(|handover| handover.gap).sum();
        let Some(longest) = here.iter().max_by_key(|handover| handover.gap) else {
            continue;
        };
        let waiting = view.place(longest.place);
        let times = handovers.len();
        let why = match what {
            For::Lock => format!(
                "never two at a time, and {times} times one began when another ended: a lock (or a pool of one)"
            ),
            For::Connection => format!(
                "never more than {} at a time, and {times} times one began when another ended: {}",
                group.most,
                if group.is_database {
                    "a pool of that size"
                } else {
                    "a limit of that size"
                }
            ),
        };
        let evidence = format!(
            "{waiting} began {} after what went before it in {}; {why}.",
            format_ns(longest.gap),
            view.place(longest.parent)
        );
        let mut spans: Vec<SpanId> = here
            .iter()
            .map(|handover| view.id(handover.place))
            .collect();
        spans.push(view.id(longest.parent));
        let parents: Vec<usize> = here.iter().map(|handover| handover.parent).collect();
        let own: u64 = parents
            .iter()
            .map(|&parent| view.own[parent])
            .max()
            .unwrap_or(0);
        let finding = Finding::new(rule, spans, evidence)
            .costs(own.min(total))
            .fact("waited_ms", ms(total))
            .fact("times", here.len())
            .fact("at_once", group.most);
        found(
            at,
            match longest.before {
                Some(before) => finding.fact("after", before.to_string()),
                None => finding,
            },
        );
    }
}
