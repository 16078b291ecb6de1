//! Messages that are processed more than once, or given up.

use trace::{Kind, Span};

use super::error;
use crate::{
    facts::{call, run::RunFacts, view::View},
    finding::{Explains, Finding, Rule, Scope, Severity},
    format::format_ns,
    hash::HashMap,
    thresholds::{OURS, Threshold},
};

/// The rule `redelivery`.
pub(crate) static RULE: Rule = Rule {
    name: "redelivery",
    severity: Severity::Warning,
    summary: "a message was processed again although it had been processed: its acknowledgement was lost",
    remedy: "make the consumer idempotent by message id; acknowledge as soon as the work is kept; look for lost connections",
    thresholds: &[Threshold::count(
        "attempts in vain",
        |limits| limits.redeliveries,
        OURS,
    )],
    source: "ours (processed again after a success, or five times in vain)",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains::nearby(&[&error::RULE]),
    scope: Scope::Run(detect),
};

/// A message and its consumer: a queue or topic may have several consumers, and each receives the message
/// once.
type Processed = (String, String, String);

/// Every attempt at a message: trace and span.
fn attempts(run: &RunFacts<'_>) -> HashMap<Processed, Vec<(usize, usize)>> {
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
                let key = (consumer, span.name.to_string(), id);
                attempts.entry(key).or_default().push((at, place));
            }
        }
    }
    attempts.retain(|_, attempts| attempts.len() > 1);
    attempts
}

/// The attributes that distinguish the consumers of a service: each group and each subscription receives a
/// message once.
const GROUPS: [&str; 5] = [
    "messaging.consumer.group.name",
    "messaging.kafka.consumer.group",
    "messaging.consumer_group",
    "messaging.destination.subscription.name",
    "messaging.rocketmq.client_group",
];

/// The identity of a message: its id, or its position in a log.
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

/// Whether a span only receives a message that another span processes.
fn is_only_received(view: &View<'_>, place: usize) -> bool {
    let span = view.span(place);
    let operation = call::text(span, &["messaging.operation.type", "messaging.operation"]);
    matches!(operation, Some("receive" | "settle"))
}

fn detect(run: &RunFacts<'_>, found: &mut dyn FnMut(usize, Finding)) {
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
            format_ns(pause)
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
                Finding::new(&RULE, view.ids(&here), evidence.clone())
                    .fact("message_id", id.as_str())
                    .fact("times", places.len()),
            );
        }
    }
}
