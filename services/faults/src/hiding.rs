//! Which faults cannot be seen together: where one acts, the request never comes to the other, or what
//! the one does says all that could be said of the other.
//!
//! All other pairs are found side by side; a test runs every pair.

use crate::{Fault, catalogue as all};

/// Faults of which nothing is found where another one acts.
#[derive(Debug)]
pub struct Hiding {
    /// The fault that acts.
    pub fault: &'static Fault,
    /// The faults of which nothing is found then.
    pub hides: &'static [&'static Fault],
    /// Why not, in a sentence.
    pub why: &'static str,
    /// Findings that may be reported all the same: what is left to be seen of those that are hidden.
    pub leaves: &'static [&'static str],
}

/// What comes after the payment of an order.
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
const NO_BAGGAGE: &str = "faults ride in the baggage, which is lost with the context";
const NOT_SAMPLED: &str = "payment makes no spans that could show it";

/// All of them.
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
        "checkout has given up before payment comes to it: nobody is told what became of the charge",
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
        "the retries say what the calls came to, and what all of them cost",
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
        "a call without context says nothing of sampling",
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
        "the finding of the lost task speaks for all that is missing below the step that started it",
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
        "what is below a span that is missing is on no path, and has no caller to be compared with",
    )
    .leaving(&["partial-trace"]),
    hiding(
        &all::MISSING_SPAN,
        &[&all::ABANDONED_WORK],
        "the span that goes on when its caller has gone is the one that is missing",
    )
    .leaving(&["deadline-exceeded", "error"]),
    hiding(&all::FLIPPED_SAMPLING, &[&all::ABANDONED_WORK], NOT_SAMPLED)
        .leaving(&["deadline-exceeded", "error"]),
    hiding(
        &all::CLOCK_SKEW,
        &[&all::ABANDONED_WORK],
        "where clocks disagree, no end of a span tells that it came after another",
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
        "a caller that has gone does not stand still",
    ),
    hiding(
        &all::PANIC,
        &[&all::BLOCKED_RUNTIME],
        "a request that panics has nothing left that could move on when the thread is free",
    ),
    hiding(
        &all::BLOCKED_RUNTIME,
        &[&all::LOCK_CONTENTION, &all::DEADLOCK, &all::SLOW_CONSUMER],
        "orders that are paid one after another do not want the same at the same time",
    )
    .leaving(&["lock-wait", "deadlock", "queue-delay", "slow-external"]),
    hiding(
        &all::WRONG_PARENT,
        &[&all::BLOCKED_RUNTIME],
        "where a call hangs below the wrong span, the critical path does not come to payment",
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
        "beside a query that takes so long, the calls would save less than a tenth at once",
    )
    .leaving(&["sequential-calls"]),
    hiding(
        &all::SLOW_QUERY,
        &[&all::LOCK_CONTENTION, &all::DEADLOCK, &all::BLOCKED_RUNTIME],
        "queries that compute keep orders apart, which then do not want the same at the same time",
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
        "most orders fail, and the few mails that are left do not queue",
    )
    .leaving(&["queue-delay"]),
    hiding(
        &all::LOCK_CONTENTION,
        &[&all::SLOW_CONSUMER],
        "orders that wait for each other come no faster than their mails are sent",
    )
    .leaving(&["queue-delay"]),
    hiding(
        &all::POOL_EXHAUSTION,
        &[&all::SEQUENTIAL_CALLS],
        "beside a wait that takes so long, the calls would save less than a tenth at once",
    )
    .leaving(&["sequential-calls"]),
    hiding(
        &all::CLOCK_SKEW,
        &[&all::WRONG_PARENT],
        "where clocks disagree, no gap tells whose child a span is",
    ),
    hiding(
        &all::POISON_MESSAGE,
        &[&all::DUPLICATE_DELIVERY],
        "a message that goes to the dead letters was never answered with a mail",
    ),
    hiding(
        &all::BATCH_CONSUME,
        &[&all::DUPLICATE_DELIVERY, &all::SLOW_CONSUMER],
        "the span of several messages names none of them",
    ),
    hiding(
        &all::DEADLOCK,
        &[&all::LOCK_CONTENTION],
        "orders that wait for each other are told as a deadlock, and not as a queue",
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
    /// Why nothing is found of another fault where this one acts; `None` where both are found.
    pub fn hides(&self, other: &Fault) -> Option<&'static Hiding> {
        let mut hidings = HIDINGS.iter();
        hidings.find(|hiding| hiding.fault == self && hiding.hides.contains(&other))
    }
}
