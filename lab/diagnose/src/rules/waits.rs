//! Waiting for a lock or for a connection: by spans that say so, and by handovers where none does.
//!
//! Where no span shows the wait, it is a gap before a span; but the gap has a cause that other spans
//! show: one of the same kind, in this trace or another, was at work all through the gap, and the
//! waiting one began the moment that one ended. Seen once that is chance; seen again and again it is a
//! queue. If there is never more than one at work, it is a lock; if there are up to *n*, and always *n*
//! during a gap, it is a pool of *n*.

use trace::{Kind, SpanId};

use crate::{
    call::{self, Call},
    finding::{Finding, Looks, Rule, Severity, ms, words},
    hash::HashMap,
    run::Run,
    shape,
    view::View,
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

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Lock,
    Connection,
}

fn look_for_locks(run: &Run<'_>, found: &mut dyn FnMut(usize, Finding)) {
    shown(run, For::Lock, found);
    inferred(run, For::Lock, found);
}

fn look_for_pools(run: &Run<'_>, found: &mut dyn FnMut(usize, Finding)) {
    shown(run, For::Connection, found);
    inferred(run, For::Connection, found);
}

impl For {
    /// What a span waits for, by its name.
    fn of(name: &str) -> Option<For> {
        let name = name.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        let waits = has(&[
            "wait",
            "acquire",
            "obtain",
            "borrow",
            "checkout connection",
            "getconnection",
            "get connection",
            "queue for",
        ]);
        if waits
            && has(&["lock", "mutex", "semaphore", "monitor", "latch"])
            && !has(&["block", "clock"])
        {
            return Some(For::Lock);
        }
        // `pg-pool.connect` of Node, `HikariDataSource.getConnection` of Java, `pool.acquire` of many.
        let pool = has(&["pool", "connection", "datasource"]);
        ((waits && pool) || has(&["pool.connect", "pool.get", "pool.checkout"]))
            .then_some(For::Connection)
    }

    fn rule(self) -> &'static Rule {
        match self {
            For::Lock => &LOCK,
            For::Connection => &POOL,
        }
    }
}

/// A wait, in one trace.
struct Wait {
    place: usize,
    start: u64,
    end: u64,
}

/// Waits that are spans.
fn shown(run: &Run<'_>, what: For, found: &mut dyn FnMut(usize, Finding)) {
    let waits: Vec<Vec<Wait>> = run
        .views
        .iter()
        .map(|view| long_waits(view, run, what))
        .collect();
    for (at, view) in run.views.iter().enumerate() {
        if !waits[at].is_empty() {
            found(at, of_waiting(view, what, &waits[at]));
        }
    }
    if what == For::Lock && waits.iter().any(|waits| !waits.is_empty()) {
        holders(run, &waits, found);
    }
}

fn long_waits(view: &View<'_>, run: &Run<'_>, what: For) -> Vec<Wait> {
    let is_wait = |place: &usize| {
        let span = view.span(*place);
        matches!(span.kind, Kind::Internal | Kind::Client | Kind::Unspecified)
            && is_long(view, run, *place)
            && For::of(&span.name) == Some(what)
    };
    (0..view.len())
        .filter(is_wait)
        .map(|place| Wait {
            place,
            start: view.span(place).start_ns,
            end: view.span(place).end_ns,
        })
        .collect()
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
    Finding::new(what.rule(), spans, evidence)
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
            "{} held a lock for which {times} others waited {} together.",
            view.place(place),
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

/// Spans of one kind that may wait for each other: where, and when.
#[derive(Default)]
struct Group {
    /// Start, end, trace, place; in the order of their starts.
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

/// Waits that no span shows.
fn inferred(run: &Run<'_>, what: For, found: &mut dyn FnMut(usize, Finding)) {
    let gaps = gaps(run);
    if gaps.len() < run.limits.handovers {
        return;
    }
    let mut wanted: HashMap<String, Vec<(usize, usize, usize, u64)>> = HashMap::default();
    for (view, place, parent, start) in gaps {
        let key = key(&run.views[view], place);
        wanted
            .entry(key)
            .or_default()
            .push((view, place, parent, start));
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
        // Most of the gaps must be explained so, or what explains some of them is chance.
        let needed = run
            .limits
            .handovers
            .max(if is_lock { 0 } else { group.most });
        if handovers.len() < needed || handovers.len() * 5 < gaps.len() * 3 {
            continue;
        }
        report(run, group, what, &handovers, found);
    }
}

/// What can wait for others of its kind: calls to a database, and steps.
fn may_queue(view: &View<'_>, place: usize) -> bool {
    match view.calls[place] {
        Call::Database(_) => true,
        Call::None => view.span(place).kind == Kind::Internal,
        _ => false,
    }
}

/// What spans have in common that may wait for each other.
fn key(view: &View<'_>, place: usize) -> String {
    let span = view.span(place);
    match view.calls[place] {
        Call::Database(_) => {
            let name = call::text(
                span,
                &["db.namespace", "db.name", "server.address", "net.peer.name"],
            );
            format!("{} database {}", span.service(), name.unwrap_or_default())
        }
        _ => format!("{} {}", span.service(), shape::name(&span.name)),
    }
}

/// Gaps before a span that are long: trace, span, parent, and where the gap begins.
fn gaps(run: &Run<'_>) -> Vec<(usize, usize, usize, u64)> {
    let mut gaps = Vec::new();
    for (at, view) in run.views.iter().enumerate() {
        for parent in 0..view.len() {
            let ns = view.ns(parent);
            let span = view.span(parent);
            if ns < run.limits.wait_ns || matches!(span.kind, Kind::Client | Kind::Producer) {
                continue;
            }
            let mut until = span.start_ns;
            for &child in view.trace.children(parent) {
                let (start, end) = (view.span(child).start_ns, view.span(child).end_ns);
                let gap = start.saturating_sub(until);
                let is_long =
                    gap >= run.limits.wait_ns && gap as f64 >= run.limits.wait_share * ns as f64;
                if is_long && start <= span.end_ns && may_queue(view, child) {
                    gaps.push((at, child, parent, until));
                }
                until = until.max(end);
            }
        }
    }
    gaps
}

fn most_at_once(members: &[(u64, u64, usize, usize)]) -> usize {
    let mut ends: std::collections::BinaryHeap<std::cmp::Reverse<u64>> =
        std::collections::BinaryHeap::new();
    let mut most = 0;
    for &(start, end, ..) in members {
        while ends.peek().is_some_and(|first| first.0 <= start) {
            ends.pop();
        }
        if end > start {
            ends.push(std::cmp::Reverse(end));
        }
        most = most.max(ends.len());
    }
    most
}

/// Whether as many as there ever are were at work all through a gap, and one of them ended at its end.
fn handover(
    run: &Run<'_>,
    group: &Group,
    &(view, place, parent, start): &(usize, usize, usize, u64),
) -> Option<Handover> {
    let end = run.views[view].span(place).start_ns;
    let slack = run.limits.handover_ns;
    // Members that begin before the gap ends. Those that began long before may still be under way.
    let last = group.members.partition_point(|(begin, ..)| *begin < end);
    let mut within: Vec<(u64, u64)> = Vec::new();
    let mut before = None;
    for &(begin, finish, at, other) in &group.members[..last] {
        if finish <= start || (at, other) == (view, place) {
            continue;
        }
        within.push((begin.max(start), finish.min(end)));
        let distance = end.saturating_sub(finish);
        if finish <= end + slack / 4 && distance <= slack {
            before = Some(run.views[at].id(other));
        }
    }
    before?;
    // Time in which all places were taken, but for the moments in which one is handed on.
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
    run: &Run<'_>,
    group: &Group,
    what: For,
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
            words(longest.gap),
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
        let finding = Finding::new(what.rule(), spans, evidence)
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
