//! Messages that could not be processed and were given up.

use trace::Kind;

use super::{error, redelivery};
use crate::{
    facts::{call, search::Word, view::View},
    finding::{Explains, Finding, Rule, Scope, Severity},
    format::plural,
    thresholds::Thresholds,
};

/// The rule `dead-letter`.
pub(crate) static RULE: Rule = Rule {
    name: "dead-letter",
    severity: Severity::Critical,
    summary: "a message could not be processed and was given up",
    remedy: "read the error of its last attempt; mend the consumer or the message, then put it back from the dead-letter queue",
    thresholds: &[],
    source: "ours (rejected to a dead-letter destination after it failed)",
    of_the_load: false,
    about_time: false,
    needs_complete_traces: false,
    explains: Explains::nearby(&[&redelivery::RULE, &error::RULE]),
    scope: Scope::Trace(detect),
};

/// Words in the names of dead-letter queues.
static GRAVES: [Word; 8] = [
    Word::new("dead"),
    Word::new("dlt"),
    Word::new("dlq"),
    Word::new("dlx"),
    Word::new("poison"),
    Word::new("parking"),
    Word::new("failed"),
    Word::new("undeliverable"),
];

/// The highest number of dead-lettered messages that are examined in one trace.
const MOST: usize = 256;

fn detect(view: &View<'_>, _: &Thresholds, found: &mut Vec<Finding>) {
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
            plural(failed, "time"),
            view.span(place).name
        );
        let mut spans = view.ids(&[place]);
        spans.extend(view.ids(&attempts));
        // The failures in the attempts are the reason, not separate findings.
        let below = attempts
            .iter()
            .flat_map(|&attempt| view.trace.children(attempt));
        let failed_below = below.copied().filter(|&below| view.span(below).is_error());
        spans.extend(failed_below.map(|below| view.id(below)));
        found.push(
            Finding::new(&RULE, spans, evidence)
                .fact("attempts", failed)
                .fact("why", why),
        );
    }
}

/// Whether a span puts a message into a dead-letter queue, or rejects it without requeueing.
fn is_burial(view: &View<'_>, place: usize) -> bool {
    let span = view.span(place);
    match span.kind {
        Kind::Producer => {
            let to = call::text(
                span,
                &["messaging.destination.name", "messaging.destination"],
            );
            let to = to.unwrap_or(&span.name).to_ascii_lowercase();
            GRAVES.iter().any(|grave| grave.is_in(&to))
        }
        Kind::Client => {
            let operation = call::text(span, &["messaging.operation.name"]);
            matches!(operation, Some("reject" | "dead_letter" | "deadletter"))
        }
        _ => false,
    }
}

/// The last failed attempt before a sibling dead-letters the message, as some libraries do it: by the same
/// service, in a destination whose name contains the queue's name.
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

/// The longest overlap between the end of an attempt and the span after it, in nanoseconds.
const FEW_NS: u64 = 1_000_000;

/// All attempts at the message of a consumer, including this one.
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
