//! A message waited in a queue for a long time.

use trace::{Kind, SpanId};

use crate::{
    facts::{call, run::RunFacts, view::View},
    finding::{Explains, Finding, Rule, Scope, Severity},
    format::{format_ns, ms},
    hash::HashMap,
    thresholds::{OURS, Threshold},
};

/// The rule `queue-delay`.
pub(crate) static RULE: Rule = Rule {
    name: "queue-delay",
    severity: Severity::Warning,
    summary: "a message was in its queue for long before a consumer took it",
    remedy: "more consumers, a larger prefetch, or less work for each message; watch the length of the queue",
    thresholds: &[
        Threshold::time(
            "how long it lay in the queue",
            |limits| limits.queue_ns,
            OURS,
        ),
        Threshold::share(
            "or its share of the trace",
            |limits| limits.queue_share,
            OURS,
        ),
        Threshold::time(
            "from this length on",
            |limits| limits.slow_share_from_ns,
            OURS,
        ),
    ],
    source: "ours (1 s, or half of the trace from 100 ms on)",
    of_the_load: true,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains::NOTHING,
    scope: Scope::Run(detect),
};

fn detect(run: &RunFacts<'_>, found: &mut dyn FnMut(usize, Finding)) {
    let mut sent: HashMap<SpanId, Vec<(usize, usize)>> = HashMap::default();
    for (at, view) in run.views.iter().enumerate() {
        for place in 0..view.len() {
            if view.kind(place) == Kind::Producer {
                sent.entry(view.id(place)).or_default().push((at, place));
            }
        }
    }
    if sent.is_empty() {
        return;
    }
    for (at, view) in run.views.iter().enumerate() {
        for place in 0..view.len() {
            if view.kind(place) == Kind::Consumer && is_first(view, place) {
                detect_at(run, at, place, &sent, found);
            }
        }
    }
}

/// The number of attempts among which an earlier one is searched.
const BEFORE: usize = 64;

/// Whether it is the first attempt at a message: a later attempt waits on purpose.
fn is_first(view: &View<'_>, place: usize) -> bool {
    let Some(parent) = view.trace.parent(place) else {
        return true;
    };
    let id = call::message_id(view.span(place));
    let siblings = view.trace.children(parent);
    let at = siblings.partition_point(|&child| child < place);
    let mut before = siblings[at.saturating_sub(BEFORE)..at].iter();
    !before.any(|&child| {
        let other = view.span(child);
        other.kind == Kind::Consumer
            && other.service() == view.span(place).service()
            && other.name == view.span(place).name
            && call::message_id(other) == id
    })
}

fn detect_at(
    run: &RunFacts<'_>,
    at: usize,
    place: usize,
    sent: &HashMap<SpanId, Vec<(usize, usize)>>,
    found: &mut dyn FnMut(usize, Finding),
) {
    let view = &run.views[at];
    let span = view.span(place);
    let parent = view
        .trace
        .parent(place)
        .filter(|&parent| view.span(parent).kind == Kind::Producer);
    let by_link = span.links.iter().filter_map(|link| {
        let places = sent.get(&link.span_id)?;
        places
            .iter()
            .find(|(other, _)| run.views[*other].trace.id() == link.trace_id)
            .copied()
    });
    let parent = parent.map(|parent| (at, parent));
    // A batch waits on purpose until it is full: the wait of its last message counts.
    let producer = parent
        .into_iter()
        .chain(by_link)
        .max_by_key(|(other, place)| run.views[*other].span(*place).end_ns);
    let Some((from, producer)) = producer else {
        return;
    };
    let sender = &run.views[from];
    let delay = span.start_ns.saturating_sub(sender.span(producer).end_ns);
    let whole =
        view.ended_ns.max(sender.ended_ns) - view.trace.start_ns().min(sender.trace.start_ns());
    let share = delay as f64 / whole.max(1) as f64;
    let limits = run.limits;
    let is_long = delay >= limits.queue_ns
        || (share >= limits.queue_share && delay >= limits.slow_share_from_ns);
    if !is_long {
        return;
    }
    let evidence = format!(
        "{} began {} after {} had sent its message, {:.0} % of the whole trace.",
        view.place(place),
        format_ns(delay),
        sender.place(producer),
        share * 100.0
    );
    let facts = |finding: Finding| {
        finding
            .costs(delay)
            .fact("delay_ms", ms(delay))
            .fact("share", (share * 1_000.0).round() / 1_000.0)
    };
    if from == at {
        found(
            at,
            facts(Finding::new(&RULE, view.ids(&[place, producer]), evidence)),
        );
    } else {
        found(
            from,
            facts(Finding::new(
                &RULE,
                sender.ids(&[producer]),
                evidence.clone(),
            )),
        );
        found(at, facts(Finding::new(&RULE, view.ids(&[place]), evidence)));
    }
}
