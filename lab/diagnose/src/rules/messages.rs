//! Messages that are processed more than once, or given up.

use trace::{Kind, Span};

use crate::{
    call, counted,
    finding::{Finding, Looks, Rule, Severity, words},
    hash::HashMap,
    run::Run,
    search::find,
    thresholds::Thresholds,
    view::View,
};

/// `redelivery`.
pub(crate) static REDELIVERY: Rule = Rule {
    name: "redelivery",
    severity: Severity::Warning,
    means: "a message was processed again although it had been processed: its acknowledgement was lost",
    remedy: "make the consumer idempotent by message id; acknowledge as soon as the work is kept; look for lost connections",
    source: "ours (processed again after a success, or five times in vain)",
    looks: Looks::AtTheRun(look_for_redelivery),
};

/// `dead-letter`.
pub(crate) static DEAD_LETTER: Rule = Rule {
    name: "dead-letter",
    severity: Severity::Critical,
    means: "a message could not be processed and was given up",
    remedy: "read the error of its last attempt; mend the consumer or the message, then put it back from the dead-letter queue",
    source: "ours (rejected to a dead-letter destination after it failed)",
    looks: Looks::AtATrace(look_for_dead_letters),
};

/// How the queues are called that messages are buried in.
const GRAVES: [&str; 8] = [
    "dead",
    "dlt",
    "dlq",
    "dlx",
    "poison",
    "parking",
    "failed",
    "undeliverable",
];

/// A message, and who processes it: one queue may have several consumers, and each gets it once.
type Processed = (String, String, String);

/// Every attempt at a message: trace, span.
fn attempts(run: &Run<'_>) -> HashMap<Processed, Vec<(usize, usize)>> {
    let mut attempts: HashMap<Processed, Vec<(usize, usize)>> = HashMap::default();
    for (at, view) in run.views.iter().enumerate() {
        for place in 0..view.len() {
            if view.kind(place) != Kind::Consumer || is_only_received(view, place) {
                continue;
            }
            let span = view.span(place);
            if let Some(id) = identity(span) {
                let group = call::text(span, &GROUPS).unwrap_or_default();
                let consumer = format!("{} {group}", span.service());
                let key = (consumer, span.name.clone(), id);
                attempts.entry(key).or_default().push((at, place));
            }
        }
    }
    attempts.retain(|_, attempts| attempts.len() > 1);
    attempts
}

/// Who of a service takes a message: each group and each subscription gets it once.
const GROUPS: [&str; 5] = [
    "messaging.consumer.group.name",
    "messaging.kafka.consumer.group",
    "messaging.consumer_group",
    "messaging.destination.subscription.name",
    "messaging.rocketmq.client_group",
];

/// What a message is known by: its id, or where it stands in a log.
fn identity(span: &Span) -> Option<String> {
    if let Some(id) = call::message_id(span) {
        return Some(id.to_owned());
    }
    let offset = call::number(
        span,
        &["messaging.kafka.offset", "messaging.kafka.message.offset"],
    )?;
    let topic = call::text(
        span,
        &["messaging.destination.name", "messaging.destination"],
    )?;
    let keys = [
        "messaging.destination.partition.id",
        "messaging.kafka.partition",
    ];
    let partition = call::number(span, &keys).unwrap_or_default();
    Some(format!("{topic}/{partition}/{offset}"))
}

/// Whether a span only takes a message: another one processes it.
fn is_only_received(view: &View<'_>, place: usize) -> bool {
    let span = view.span(place);
    let operation = call::text(span, &["messaging.operation.type", "messaging.operation"]);
    matches!(operation, Some("receive" | "settle"))
}

fn look_for_redelivery(run: &Run<'_>, found: &mut dyn FnMut(usize, Finding)) {
    let mut all: Vec<_> = attempts(run).into_iter().collect();
    all.sort_unstable();
    for ((_, name, id), mut places) in all {
        places.sort_by_key(|&(at, place)| run.views[at].span(place).start_ns);
        let failed = |&(at, place): &(usize, usize)| run.views[at].span(place).is_error();
        let again_after_success = places[..places.len() - 1]
            .iter()
            .any(|place| !failed(place));
        if !again_after_success && places.len() < run.limits.redeliveries {
            continue;
        }
        let pause: u64 = places
            .windows(2)
            .map(|two| {
                let end = run.views[two[0].0].span(two[0].1).end_ns;
                run.views[two[1].0]
                    .span(two[1].1)
                    .start_ns
                    .saturating_sub(end)
            })
            .max()
            .unwrap_or(0);
        let why = match again_after_success {
            true => "although it had been processed",
            false => "and failed each time",
        };
        let evidence = format!(
            "{name} took message {id} {} times {why}, the last {} after the one before.",
            places.len(),
            words(pause)
        );
        let mut traces: Vec<usize> = places.iter().map(|(at, _)| *at).collect();
        traces.dedup();
        for at in traces {
            let view = &run.views[at];
            let here: Vec<usize> = places
                .iter()
                .filter(|(other, _)| *other == at)
                .map(|(_, place)| *place)
                .collect();
            found(
                at,
                Finding::new(&REDELIVERY, view.ids(&here), evidence.clone())
                    .fact("message_id", id.as_str())
                    .fact("times", places.len()),
            );
        }
    }
}

/// How many burials are looked at in one trace.
const MOST: usize = 256;

fn look_for_dead_letters(view: &View<'_>, _: &Thresholds, found: &mut Vec<Finding>) {
    let burials = (0..view.len()).filter(|&place| is_burial(view, place));
    for place in burials.take(MOST) {
        let above = std::iter::once(place).chain(view.above(place));
        let above = above
            .into_iter()
            .find(|&above| view.span(above).kind == Kind::Consumer);
        let Some(consumer) = above.or_else(|| failed_beside(view, place)) else {
            continue;
        };
        let attempts = attempts_beside(view, consumer);
        let failed = attempts
            .iter()
            .filter(|&&attempt| view.span(attempt).is_error())
            .count();
        if failed == 0 {
            continue;
        }
        let why =
            call::failure(view.span(consumer)).unwrap_or_else(|| "no reason is given".to_owned());
        let evidence = format!(
            "{} failed {} and was given up by {}: {why}",
            view.place(consumer),
            counted(failed, "time"),
            view.span(place).name
        );
        let mut spans = view.ids(&[place]);
        spans.extend(view.ids(&attempts));
        // What failed in them is the reason, and no other finding.
        let below = attempts
            .iter()
            .flat_map(|&attempt| view.trace.children(attempt));
        let failed_below = below.copied().filter(|&below| view.span(below).is_error());
        spans.extend(failed_below.map(|below| view.id(below)));
        found.push(
            Finding::new(&DEAD_LETTER, spans, evidence)
                .fact("attempts", failed)
                .fact("why", why),
        );
    }
}

/// Whether a span puts a message where the dead ones are, or rejects it for good.
fn is_burial(view: &View<'_>, place: usize) -> bool {
    let span = view.span(place);
    match span.kind {
        Kind::Producer => {
            let to = call::text(
                span,
                &["messaging.destination.name", "messaging.destination"],
            );
            let to = to.unwrap_or(&span.name).to_ascii_lowercase();
            let mut graves = GRAVES.iter();
            graves.any(|grave| find(to.as_bytes(), grave.as_bytes()).is_some())
        }
        Kind::Client => {
            let operation = call::text(span, &["messaging.operation.name"]);
            matches!(operation, Some("reject" | "dead_letter" | "deadletter"))
        }
        _ => false,
    }
}

/// The last attempt that failed before a message was buried beside it, as some libraries do: by the same
/// service, in a place that is called after the queue.
fn failed_beside(view: &View<'_>, burial: usize) -> Option<usize> {
    let span = view.span(burial);
    let siblings = view
        .trace
        .children(view.trace.parent(burial)?)
        .iter()
        .copied();
    siblings
        .filter(|&place| {
            let other = view.span(place);
            other.kind == Kind::Consumer
                && other.is_error()
                && other.service() == span.service()
                && other.end_ns <= span.start_ns + FEW_NS
        })
        .max_by_key(|&place| view.span(place).end_ns)
}

/// By how much the end of an attempt and what follows it may overlap.
const FEW_NS: u64 = 1_000_000;

/// All attempts at the message that a consumer has, itself included.
fn attempts_beside(view: &View<'_>, consumer: usize) -> Vec<usize> {
    let id = call::message_id(view.span(consumer));
    let Some(parent) = view.trace.parent(consumer) else {
        return vec![consumer];
    };
    let same = |&&place: &&usize| {
        let span = view.span(place);
        span.kind == Kind::Consumer && call::message_id(span) == id
    };
    view.trace
        .children(parent)
        .iter()
        .filter(same)
        .copied()
        .collect()
}
