//! The catalogue: every fault, in the order in which the book lists them.

use crate::{Error, Fault, Need, Parameter, Range, Reach, Value, error::nearest};

/// Every fault.
pub static CATALOGUE: [&Fault; 30] = [
    &N_PLUS_ONE,
    &SEQUENTIAL_CALLS,
    &SLOW_QUERY,
    &LOCK_CONTENTION,
    &DEADLOCK,
    &POOL_EXHAUSTION,
    &BLOCKED_RUNTIME,
    &CARD_DECLINED,
    &PANIC,
    &SLOW_PROVIDER,
    &PROVIDER_ERROR,
    &PROVIDER_TIMEOUT,
    &RETRY_STORM,
    &ABANDONED_WORK,
    &SLOW_CONSUMER,
    &POISON_MESSAGE,
    &DUPLICATE_DELIVERY,
    &BATCH_CONSUME,
    &LOST_CONTEXT_HTTP,
    &LOST_CONTEXT_AMQP,
    &LOST_CONTEXT_SPAWN,
    &WRONG_PARENT,
    &CLOCK_SKEW,
    &MISSING_SPAN,
    &FLIPPED_SAMPLING,
    &LATE_SPANS,
    &DUPLICATE_SPANS,
    &UNBOUNDED_NAMES,
    &LEAKED_SECRET,
    &SPAN_FLOOD,
];

/// Finds a fault by its name.
///
/// # Errors
///
/// [`Error::UnknownFault`] when no fault has this name; the error names the nearest known one.
pub fn find(name: &str) -> Result<&'static Fault, Error> {
    CATALOGUE
        .iter()
        .copied()
        .find(|fault| fault.name == name)
        .ok_or_else(|| Error::UnknownFault {
            name: name.to_owned(),
            nearest: nearest(name, CATALOGUE.iter().map(|fault| fault.name)),
        })
}

/// `n-plus-one`.
pub static N_PLUS_ONE: Fault = Fault {
    name: "n-plus-one",
    service: "inventory",
    summary: "asks the database for the price of each line by itself, instead of all at once",
    parameters: &[],
    reach: Reach::Request,
    needs: None,
};

/// `sequential-calls`.
pub static SEQUENTIAL_CALLS: Fault = Fault {
    name: "sequential-calls",
    service: "checkout",
    summary: "asks for prices, waits, then asks for stock, instead of both at once",
    parameters: &[],
    reach: Reach::Request,
    needs: None,
};

/// `slow-query`.
pub static SLOW_QUERY: Fault = Fault {
    name: "slow-query",
    service: "inventory",
    summary: "looks up prices by a query that can use no index and reads many rows",
    parameters: &[
        Parameter {
            name: "ms",
            summary: "how long the query takes; how many rows that is was measured when the service started",
            range: Range::Integer(1, 60_000),
            default: Some(Value::Integer(400)),
        },
        Parameter {
            name: "rows",
            summary: "how many rows it reads, in place of a time",
            range: Range::Integer(1_000, 200_000_000),
            default: None,
        },
    ],
    reach: Reach::Request,
    needs: None,
};

/// `lock-contention`.
pub static LOCK_CONTENTION: Fault = Fault {
    name: "lock-contention",
    service: "inventory",
    summary: "keeps the lock on the order's stock while its transaction makes further queries; every transaction that needs the same lock waits",
    parameters: &[Parameter {
        name: "hold_ms",
        summary: "how long the lock is kept",
        range: Range::Integer(1, 10_000),
        default: Some(Value::Integer(100)),
    }],
    reach: Reach::Everyone,
    needs: None,
};

/// `deadlock`.
pub static DEADLOCK: Fault = Fault {
    name: "deadlock",
    service: "inventory",
    summary: "every other order locks its products in the opposite order, so that two wait for each other",
    parameters: &[Parameter {
        name: "hold_ms",
        summary: "how long a lock is kept before the next is asked for",
        range: Range::Integer(1, 10_000),
        default: Some(Value::Integer(50)),
    }],
    reach: Reach::Everyone,
    needs: Some(Need::Postgresql),
};

/// `pool-exhaustion`.
pub static POOL_EXHAUSTION: Fault = Fault {
    name: "pool-exhaustion",
    service: "inventory",
    summary: "takes connections of the pool and keeps them; requests that need one wait",
    parameters: &[
        Parameter {
            name: "connections",
            summary: "how many connections are taken",
            range: Range::Integer(1, 100),
            default: Some(Value::Integer(10)),
        },
        Parameter {
            name: "hold_ms",
            summary: "how long the connections are kept",
            range: Range::Integer(1, 10_000),
            default: Some(Value::Integer(200)),
        },
    ],
    reach: Reach::Everyone,
    needs: None,
};

/// `blocked-runtime`.
pub static BLOCKED_RUNTIME: Fault = Fault {
    name: "blocked-runtime",
    service: "payment",
    summary: "computes on a thread of the async runtime while it validates the card; all other tasks on that thread wait",
    parameters: &[
        Parameter {
            name: "ms",
            summary: "how long it computes",
            range: Range::Integer(1, 10_000),
            default: Some(Value::Integer(200)),
        },
        Parameter {
            name: "thread",
            summary: "where it computes",
            range: Range::Words(&["worker", "blocking"]),
            default: Some(Value::Word("worker")),
        },
    ],
    reach: Reach::Everyone,
    needs: None,
};

/// `card-declined`.
pub static CARD_DECLINED: Fault = Fault {
    name: "card-declined",
    service: "payment",
    summary: "pays with a card that its bank declines",
    parameters: &[],
    reach: Reach::Request,
    needs: None,
};

/// `panic`.
pub static PANIC: Fault = Fault {
    name: "panic",
    service: "payment",
    summary: "the handler panics after the card was validated",
    parameters: &[],
    reach: Reach::Request,
    needs: None,
};

/// `slow-provider`.
pub static SLOW_PROVIDER: Fault = Fault {
    name: "slow-provider",
    service: "provider",
    summary: "the provider replies late",
    parameters: &[Parameter {
        name: "latency_ms",
        summary: "how long a reply takes",
        range: Range::Integer(1, 60_000),
        default: Some(Value::Integer(800)),
    }],
    reach: Reach::Request,
    needs: None,
};

/// `provider-error`.
pub static PROVIDER_ERROR: Fault = Fault {
    name: "provider-error",
    service: "provider",
    summary: "the provider replies with an error",
    parameters: &[
        Parameter {
            name: "status",
            summary: "the status of the reply",
            range: Range::Integer(400, 599),
            default: Some(Value::Integer(503)),
        },
        Parameter {
            name: "share",
            summary: "the share of calls that fail",
            range: Range::Number(0.0, 1.0),
            default: Some(Value::Number(1.0)),
        },
    ],
    reach: Reach::Request,
    needs: None,
};

/// `provider-timeout`.
pub static PROVIDER_TIMEOUT: Fault = Fault {
    name: "provider-timeout",
    service: "payment",
    summary: "payment gives up on the provider, which goes on working",
    parameters: &[Parameter {
        name: "deadline_ms",
        summary: "how long payment waits",
        range: Range::Integer(1, 60_000),
        default: Some(Value::Integer(20)),
    }],
    reach: Reach::Request,
    needs: None,
};

/// `retry-storm`.
pub static RETRY_STORM: Fault = Fault {
    name: "retry-storm",
    service: "payment",
    summary: "asks the provider again and again, without a pause, when it is unavailable",
    parameters: &[Parameter {
        name: "attempts",
        summary: "how often it retries",
        range: Range::Integer(1, 50),
        default: Some(Value::Integer(5)),
    }],
    reach: Reach::Request,
    needs: None,
};

/// `abandoned-work`.
pub static ABANDONED_WORK: Fault = Fault {
    name: "abandoned-work",
    service: "checkout",
    summary: "gives up on payment, which goes on working",
    parameters: &[Parameter {
        name: "after_ms",
        summary: "how long checkout waits",
        range: Range::Integer(1, 60_000),
        default: Some(Value::Integer(20)),
    }],
    reach: Reach::Request,
    needs: None,
};

/// `slow-consumer`.
pub static SLOW_CONSUMER: Fault = Fault {
    name: "slow-consumer",
    service: "email",
    summary: "one mail at a time through a slow mail server; messages wait in the queue",
    parameters: &[Parameter {
        name: "ms",
        summary: "how long a mail takes",
        range: Range::Integer(1, 60_000),
        default: Some(Value::Integer(200)),
    }],
    reach: Reach::Everyone,
    needs: None,
};

/// `poison-message`.
pub static POISON_MESSAGE: Fault = Fault {
    name: "poison-message",
    service: "email",
    summary: "the mail cannot be rendered, and the message comes back",
    parameters: &[Parameter {
        name: "failures",
        summary: "how often it fails; the third failure is the last",
        range: Range::Integer(1, 3),
        default: Some(Value::Integer(3)),
    }],
    reach: Reach::Request,
    needs: None,
};

/// `duplicate-delivery`.
pub static DUPLICATE_DELIVERY: Fault = Fault {
    name: "duplicate-delivery",
    service: "email",
    summary: "the mail is sent, its acknowledgement is lost, and the message comes once more",
    parameters: &[],
    // The acknowledgement is lost when the channel is closed; until the next channel is open, no delivery is
    // processed.
    reach: Reach::Everyone,
    needs: None,
};

/// `batch-consume`.
pub static BATCH_CONSUME: Fault = Fault {
    name: "batch-consume",
    service: "email",
    summary: "one span processes several messages, and links to the sender of each",
    parameters: &[
        Parameter {
            name: "size",
            summary: "the most messages of one span",
            range: Range::Integer(2, 100),
            default: Some(Value::Integer(10)),
        },
        Parameter {
            name: "wait_ms",
            summary: "how long it waits for more messages",
            range: Range::Integer(1, 10_000),
            default: Some(Value::Integer(200)),
        },
    ],
    reach: Reach::Everyone,
    needs: None,
};

/// `lost-context-http`.
pub static LOST_CONTEXT_HTTP: Fault = Fault {
    name: "lost-context-http",
    service: "checkout",
    summary: "the call to payment carries no context",
    parameters: &[],
    reach: Reach::Request,
    needs: None,
};

/// `lost-context-amqp`.
pub static LOST_CONTEXT_AMQP: Fault = Fault {
    name: "lost-context-amqp",
    service: "checkout",
    summary: "the message carries no context",
    parameters: &[],
    reach: Reach::Request,
    needs: None,
};

/// `lost-context-spawn`.
pub static LOST_CONTEXT_SPAWN: Fault = Fault {
    name: "lost-context-spawn",
    service: "checkout",
    summary: "the reservation is made by a task that was spawned without its span",
    parameters: &[],
    reach: Reach::Request,
    needs: None,
};

/// `wrong-parent`.
pub static WRONG_PARENT: Fault = Fault {
    name: "wrong-parent",
    service: "checkout",
    summary: "the call to payment is a child of the request's span, and not of the step that makes it",
    parameters: &[],
    reach: Reach::Request,
    needs: None,
};

/// `clock-skew`.
pub static CLOCK_SKEW: Fault = Fault {
    name: "clock-skew",
    service: "payment",
    summary: "the clock that stamps the service's spans is off",
    parameters: &[Parameter {
        name: "offset_ms",
        summary: "how far the clock is off",
        range: Range::Integer(-3_600_000, 3_600_000),
        default: Some(Value::Integer(-500)),
    }],
    reach: Reach::Request,
    needs: None,
};

/// `missing-span`.
pub static MISSING_SPAN: Fault = Fault {
    name: "missing-span",
    service: "payment",
    summary: "the span of the request is not exported; its children have no parent",
    parameters: &[],
    reach: Reach::Request,
    needs: None,
};

/// `flipped-sampling`.
pub static FLIPPED_SAMPLING: Fault = Fault {
    name: "flipped-sampling",
    service: "checkout",
    summary: "the call to payment says that the trace is not sampled, though it is",
    parameters: &[],
    reach: Reach::Request,
    needs: None,
};

/// `late-spans`.
pub static LATE_SPANS: Fault = Fault {
    name: "late-spans",
    service: "inventory",
    summary: "spans are exported late",
    parameters: &[Parameter {
        name: "delay_ms",
        summary: "how much later they are exported",
        range: Range::Integer(1, 60_000),
        default: Some(Value::Integer(2_000)),
    }],
    reach: Reach::Request,
    needs: None,
};

/// `duplicate-spans`.
pub static DUPLICATE_SPANS: Fault = Fault {
    name: "duplicate-spans",
    service: "inventory",
    summary: "spans are exported twice",
    parameters: &[],
    reach: Reach::Request,
    needs: None,
};

/// `unbounded-names`.
pub static UNBOUNDED_NAMES: Fault = Fault {
    name: "unbounded-names",
    service: "inventory",
    summary: "the names of spans hold what is different in every request",
    parameters: &[],
    reach: Reach::Request,
    needs: None,
};

/// `leaked-secret`.
pub static LEAKED_SECRET: Fault = Fault {
    name: "leaked-secret",
    service: "payment",
    summary: "the number of the card lands in an attribute",
    parameters: &[],
    reach: Reach::Request,
    needs: None,
};

/// `span-flood`.
pub static SPAN_FLOOD: Fault = Fault {
    name: "span-flood",
    service: "checkout",
    summary: "a loop makes a span for each of its rounds",
    parameters: &[Parameter {
        name: "spans",
        summary: "how many spans it makes",
        range: Range::Integer(1, 100_000),
        default: Some(Value::Integer(5_000)),
    }],
    reach: Reach::Request,
    needs: None,
};
