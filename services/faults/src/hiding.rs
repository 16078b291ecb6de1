//! Pairs of faults of which only one can be found: the first fault stops the request before it reaches the
//! second, or its finding already explains all that the second one does.
//!
//! In every other pair both faults are found; a test runs every pair.

use crate::{Fault, catalogue as all};

/// A fault, and the faults that are not found while it acts.
#[derive(Debug)]
pub struct Hiding {
    /// The fault that acts.
    pub fault: &'static Fault,
    /// The faults that are not found while it acts.
    pub hides: &'static [&'static Fault],
    /// The reason, as part of a sentence.
    pub why: &'static str,
    /// Findings that may still be reported: the visible remains of the hidden faults.
    pub leaves: &'static [&'static str],
}

/// The faults that act after the payment of an order.
static AFTER_PAYMENT: [&Fault; 8] = [
    &all::LOCK_CONTENTION,
    &all::DEADLOCK,
    &all::LOST_CONTEXT_SPAWN,
    &all::LOST_CONTEXT_AMQP,
    &all::SLOW_CONSUMER,
    &all::POISON_MESSAGE,
    &all::DUPLICATE_DELIVERY,
    &all::BATCH_CONSUME,
];

const NOT_PAID: &str = "an order that is not paid is not reserved, and has no mail";
const NO_BAGGAGE: &str = "faults travel in the baggage, which is lost with the context";
const NOT_SAMPLED: &str = "payment makes no spans that could show it";

/// Every such pair of the catalogue.
pub static HIDINGS: [Hiding; 38] = [
    hiding(&all::CARD_DECLINED, &AFTER_PAYMENT, NOT_PAID),
    hiding(&all::PANIC, &AFTER_PAYMENT, NOT_PAID),
    hiding(&all::PROVIDER_ERROR, &AFTER_PAYMENT, NOT_PAID),
    hiding(&all::PROVIDER_TIMEOUT, &AFTER_PAYMENT, NOT_PAID),
    hiding(&all::RETRY_STORM, &AFTER_PAYMENT, NOT_PAID),
    hiding(&all::ABANDONED_WORK, &AFTER_PAYMENT, NOT_PAID),
    hiding(
        &all::ABANDONED_WORK,
        &[
            &all::CARD_DECLINED,
            &all::PANIC,
            &all::SLOW_PROVIDER,
            &all::PROVIDER_ERROR,
            &all::PROVIDER_TIMEOUT,
        ],
        "checkout gives up before payment reaches that point: the result of the charge reaches no caller",
    ),
    hiding(
        &all::PANIC,
        &[
            &all::CARD_DECLINED,
            &all::SLOW_PROVIDER,
            &all::PROVIDER_ERROR,
            &all::PROVIDER_TIMEOUT,
            &all::RETRY_STORM,
        ],
        "the panic comes before the provider is asked",
    ),
    hiding(
        &all::PROVIDER_TIMEOUT,
        &[
            &all::CARD_DECLINED,
            &all::SLOW_PROVIDER,
            &all::PROVIDER_ERROR,
            &all::RETRY_STORM,
        ],
        "payment has given up before the provider answers",
    ),
    hiding(
        &all::PROVIDER_ERROR,
        &[&all::CARD_DECLINED],
        "the provider fails before it looks at the card",
    ),
    hiding(
        &all::RETRY_STORM,
        &[
            &all::CARD_DECLINED,
            &all::SLOW_PROVIDER,
            &all::PROVIDER_ERROR,
        ],
        "the finding of the retries already reports the results of the calls and their total time",
    ),
    hiding(
        &all::LOST_CONTEXT_HTTP,
        &[
            &all::BLOCKED_RUNTIME,
            &all::CARD_DECLINED,
            &all::PANIC,
            &all::SLOW_PROVIDER,
            &all::PROVIDER_ERROR,
            &all::PROVIDER_TIMEOUT,
            &all::RETRY_STORM,
            &all::CLOCK_SKEW,
            &all::MISSING_SPAN,
            &all::LEAKED_SECRET,
        ],
        NO_BAGGAGE,
    ),
    hiding(
        &all::LOST_CONTEXT_HTTP,
        &[&all::FLIPPED_SAMPLING],
        "a call without context carries no sampling flag",
    ),
    hiding(
        &all::LOST_CONTEXT_AMQP,
        &[
            &all::SLOW_CONSUMER,
            &all::POISON_MESSAGE,
            &all::DUPLICATE_DELIVERY,
            &all::BATCH_CONSUME,
        ],
        NO_BAGGAGE,
    ),
    hiding(
        &all::LOST_CONTEXT_SPAWN,
        &[&all::LOCK_CONTENTION, &all::DEADLOCK],
        NO_BAGGAGE,
    ),
    hiding(
        &all::LOST_CONTEXT_SPAWN,
        &[&all::WRONG_PARENT, &all::FLIPPED_SAMPLING],
        "the finding of the lost task covers everything that is missing below the step that started it",
    ),
    hiding(
        &all::FLIPPED_SAMPLING,
        &[
            &all::CLOCK_SKEW,
            &all::MISSING_SPAN,
            &all::LEAKED_SECRET,
            &all::SLOW_PROVIDER,
            &all::RETRY_STORM,
            &all::BLOCKED_RUNTIME,
        ],
        NOT_SAMPLED,
    ),
    hiding(
        &all::MISSING_SPAN,
        &[&all::CLOCK_SKEW, &all::SLOW_PROVIDER],
        "spans below a missing span are on no path, and have no caller to be compared with",
    )
    .leaving(&["partial-trace"]),
    hiding(
        &all::MISSING_SPAN,
        &[&all::ABANDONED_WORK],
        "the span that outlives its caller is the missing one",
    )
    .leaving(&["deadline-exceeded", "error"]),
    hiding(&all::FLIPPED_SAMPLING, &[&all::ABANDONED_WORK], NOT_SAMPLED)
        .leaving(&["deadline-exceeded", "error"]),
    hiding(
        &all::CLOCK_SKEW,
        &[&all::ABANDONED_WORK],
        "where clocks disagree, the order in which two spans ended is unknown",
    )
    .leaving(&["deadline-exceeded", "error"]),
    hiding(
        &all::ABANDONED_WORK,
        &[&all::FLIPPED_SAMPLING, &all::LOST_CONTEXT_HTTP],
        "a call that was given up has no answer, with its context or without",
    )
    .leaving(&["broken-propagation", "partial-trace"]),
    hiding(
        &all::LOST_CONTEXT_HTTP,
        &[&all::ABANDONED_WORK],
        "the work that goes on is in another trace",
    )
    .leaving(&["deadline-exceeded", "error"]),
    hiding(
        &all::ABANDONED_WORK,
        &[&all::BLOCKED_RUNTIME],
        "a caller that has given up is not blocked",
    ),
    hiding(
        &all::PANIC,
        &[&all::BLOCKED_RUNTIME],
        "a request that panics has no work left that could continue when the thread is free",
    ),
    hiding(
        &all::BLOCKED_RUNTIME,
        &[&all::LOCK_CONTENTION, &all::DEADLOCK, &all::SLOW_CONSUMER],
        "orders that are paid one after another do not need the same row or mail server at the same time",
    )
    .leaving(&["lock-wait", "deadlock", "queue-delay", "slow-external"]),
    hiding(
        &all::WRONG_PARENT,
        &[&all::BLOCKED_RUNTIME],
        "where a call is below the wrong span, the critical path does not include payment",
    ),
    hiding(
        &all::ABANDONED_WORK,
        &[&all::RETRY_STORM],
        "checkout undoes the order while payment still tries",
    )
    .leaving(&["retry-storm"]),
    hiding(
        &all::SLOW_QUERY,
        &[&all::SEQUENTIAL_CALLS],
        "compared with the time of the query, concurrent calls would save less than a tenth",
    )
    .leaving(&["sequential-calls"]),
    hiding(
        &all::SLOW_QUERY,
        &[&all::LOCK_CONTENTION, &all::DEADLOCK, &all::BLOCKED_RUNTIME],
        "queries that compute keep orders apart, so they do not need the same row or thread at the same time",
    )
    .leaving(&["lock-wait", "deadlock"]),
    hiding(
        &all::POOL_EXHAUSTION,
        &[&all::LOCK_CONTENTION, &all::DEADLOCK],
        "orders that wait for a connection do not want a lock at the same time",
    )
    .leaving(&["lock-wait", "deadlock"]),
    hiding(
        &all::DEADLOCK,
        &[&all::SLOW_CONSUMER],
        "most orders fail, and the mails of the others are too few to queue",
    )
    .leaving(&["queue-delay"]),
    hiding(
        &all::LOCK_CONTENTION,
        &[&all::SLOW_CONSUMER],
        "orders that wait for each other do not complete faster than their mails are sent",
    )
    .leaving(&["queue-delay"]),
    hiding(
        &all::POOL_EXHAUSTION,
        &[&all::SEQUENTIAL_CALLS],
        "compared with the time of the wait, concurrent calls would save less than a tenth",
    )
    .leaving(&["sequential-calls"]),
    hiding(
        &all::CLOCK_SKEW,
        &[&all::WRONG_PARENT],
        "where clocks disagree, a gap does not show whose child a span is",
    ),
    hiding(
        &all::POISON_MESSAGE,
        &[&all::DUPLICATE_DELIVERY],
        "a message that becomes a dead letter has no mail that could be sent twice",
    ),
    hiding(
        &all::BATCH_CONSUME,
        &[&all::DUPLICATE_DELIVERY, &all::SLOW_CONSUMER],
        "the span of several messages names none of them",
    ),
    hiding(
        &all::DEADLOCK,
        &[&all::LOCK_CONTENTION],
        "orders that wait for each other are reported as a deadlock, and not as a queue",
    ),
];

const fn hiding(
    fault: &'static Fault,
    hides: &'static [&'static Fault],
    why: &'static str,
) -> Hiding {
    Hiding {
        fault,
        hides,
        why,
        leaves: &[],
    }
}

impl Hiding {
    const fn leaving(self, leaves: &'static [&'static str]) -> Hiding {
        Hiding { leaves, ..self }
    }
}

// === impl Fault ===

impl Fault {
    /// The entry that says why `other` is not found where this fault acts; `None` where both are found.
    pub fn hides(&self, other: &Fault) -> Option<&'static Hiding> {
        let mut hidings = HIDINGS.iter();
        hidings.find(|hiding| hiding.fault == self && hiding.hides.contains(&other))
    }
}
