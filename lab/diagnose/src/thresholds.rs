//! The limits of the rules, as data.
//!
//! [`Thresholds`] holds their values. Each rule lists its limits as [`Threshold`]s, with the source of each
//! number: *Sentry* is the documentation of its performance issues, *perf-sentinel* its detection rules, and
//! *ours* a number without a known public source.

use std::{fmt, time::Duration};

/// The values of all limits. Times are in nanoseconds.
#[derive(Clone, Debug)]
pub struct Thresholds {
    /// `n-plus-one`: queries of one shape under one parent, after a query of another shape.
    pub n_plus_one_queries: usize,
    /// `n-plus-one`: the least total time of these queries.
    pub n_plus_one_ns: u64,
    /// `n-plus-one`: queries of one shape under one parent for which neither the time nor a query before
    /// matters.
    pub n_plus_one_many: usize,
    /// `n-plus-one`: calls of one route under one parent.
    pub n_plus_one_calls: usize,
    /// `n-plus-one`: the least total time of these calls.
    pub n_plus_one_calls_ns: u64,
    /// `n-plus-one` of groups: the length of the longest pattern, in spans.
    pub group_length: usize,
    /// `n-plus-one` of groups: the least number of repetitions of the pattern.
    pub group_times: usize,
    /// `sequential-calls`: the least time that concurrent calls would save.
    pub sequential_saved_ns: u64,
    /// `sequential-calls`: the same for database reads, which often share a connection.
    pub sequential_saved_database_ns: u64,
    /// `sequential-calls`: the least share of the parent that would be saved.
    pub sequential_share: f64,
    /// `slow-external`: the duration of a slow call.
    pub slow_external_ns: u64,
    /// `slow-query`: the duration of a slow statement.
    pub slow_query_ns: u64,
    /// `slow-query`, `slow-external`: the share of the critical path that counts as slow…
    pub slow_share: f64,
    /// …from this duration on, since a share of a short time is short; also in `queue-delay`.
    pub slow_share_from_ns: u64,
    /// `lock-wait`, `pool-wait`: the least share of the parent that is a wait.
    pub wait_share: f64,
    /// `lock-wait`, `pool-wait`, `deadlock`: the least wait.
    pub wait_ns: u64,
    /// Waits without a span: the longest time between the end of one turn and the start of the next.
    /// `broken-propagation`: the longest time by which an answer may extend beyond its call.
    pub handover_ns: u64,
    /// Waits without a span: the least number of handovers in a run.
    pub handovers: usize,
    /// `retry-storm`: the least number of attempts.
    pub retry_attempts: usize,
    /// `retry-storm`: the least factor between the first and the last pause of a backoff.
    pub backoff_growth: f64,
    /// `retry-storm`: the least pause of a backoff.
    pub backoff_ns: u64,
    /// `clock-skew`: the longest time by which a call may extend beyond its caller with equal clocks.
    pub skew_ns: u64,
    /// `abandoned-work`: the least time for which the work continues.
    pub abandoned_ns: u64,
    /// `queue-delay`: the least time of a message in its queue.
    pub queue_ns: u64,
    /// `queue-delay`: the share of the trace that counts as long too, from `slow_share_from_ns` on.
    pub queue_share: f64,
    /// `redelivery`: the number of failed attempts after which a message counts as circulating.
    pub redeliveries: usize,
    /// `unbounded-names`: the least number of names of one pattern in a run.
    pub distinct_names: usize,
    /// `blocked-runtime`: the least time for which a process stands still.
    pub blocked_ns: u64,
    /// `blocked-runtime`: the least number of such times in a run.
    pub blocked_times: usize,
    /// `chatty`: the highest number of children one after the other.
    pub chatty_children: usize,
    /// `chatty`: the number of outbound calls one after the other.
    pub chatty_calls: usize,
    /// `span-flood`: the highest number of spans of a trace…
    pub flood_spans: usize,
    /// …if at least this share of them is of one service and one name.
    pub flood_share: f64,
    /// `wrong-parent`: the largest difference between a span and the gap of a span that is not its parent, as
    /// a share of the span's length…
    pub gap_fit: f64,
    /// …and in any case this time.
    pub gap_fit_ns: u64,
}

/// A limit of a rule, with the source of its number.
pub struct Threshold {
    /// The limited quantity, in a few words.
    pub what: &'static str,
    /// The source of the number.
    pub source: &'static str,
    value: Value,
}

/// The value of a limit. It is formatted with its unit: `5`, `50 ms`, `30 %`, `1.3 times`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// A number of items.
    Count(usize),
    /// A time.
    Time(Duration),
    /// A share of a whole, from 0 to 1.
    Share(f64),
    /// A factor.
    Factor(f64),
}

/// The function that reads the value of a limit.
enum Value {
    Count(fn(&Thresholds) -> usize),
    Nanoseconds(fn(&Thresholds) -> u64),
    Share(fn(&Thresholds) -> f64),
    Factor(fn(&Thresholds) -> f64),
}

/// A number without a known public source.
pub(crate) const OURS: &str = "ours";
/// The documentation of Sentry's performance issues.
pub(crate) const SENTRY: &str = "Sentry";
/// The detection rules of perf-sentinel.
pub(crate) const PERF_SENTINEL: &str = "perf-sentinel";

const MS: u64 = 1_000_000;

/// The default values of the limits.
pub const THRESHOLDS: Thresholds = Thresholds {
    n_plus_one_queries: 5,
    n_plus_one_ns: 50 * MS,
    n_plus_one_many: 10,
    n_plus_one_calls: 5,
    n_plus_one_calls_ns: 300 * MS,
    group_length: 8,
    group_times: 3,
    sequential_saved_ns: 10 * MS,
    sequential_saved_database_ns: 100 * MS,
    sequential_share: 0.10,
    slow_external_ns: 500 * MS,
    slow_query_ns: 500 * MS,
    slow_share: 0.50,
    slow_share_from_ns: 100 * MS,
    wait_share: 0.30,
    wait_ns: 20 * MS,
    handover_ns: MS,
    handovers: 2,
    retry_attempts: 3,
    backoff_growth: 1.3,
    backoff_ns: 10 * MS,
    skew_ns: 2 * MS,
    abandoned_ns: 5 * MS,
    queue_ns: 1_000 * MS,
    queue_share: 0.50,
    redeliveries: 5,
    distinct_names: 10,
    blocked_ns: 50 * MS,
    blocked_times: 2,
    chatty_children: 20,
    chatty_calls: 15,
    flood_spans: 1_000,
    flood_share: 0.80,
    gap_fit: 0.05,
    gap_fit_ns: MS / 2,
};

// === impl Threshold ===

impl Threshold {
    /// A limit for a number of items.
    pub(crate) const fn count(
        what: &'static str,
        value: fn(&Thresholds) -> usize,
        source: &'static str,
    ) -> Self {
        Threshold {
            what,
            source,
            value: Value::Count(value),
        }
    }

    /// A limit for a time, in nanoseconds.
    pub(crate) const fn time(
        what: &'static str,
        value: fn(&Thresholds) -> u64,
        source: &'static str,
    ) -> Self {
        Threshold {
            what,
            source,
            value: Value::Nanoseconds(value),
        }
    }

    /// A limit for a share.
    pub(crate) const fn share(
        what: &'static str,
        value: fn(&Thresholds) -> f64,
        source: &'static str,
    ) -> Self {
        Threshold {
            what,
            source,
            value: Value::Share(value),
        }
    }

    /// A limit for a factor.
    pub(crate) const fn factor(
        what: &'static str,
        value: fn(&Thresholds) -> f64,
        source: &'static str,
    ) -> Self {
        Threshold {
            what,
            source,
            value: Value::Factor(value),
        }
    }

    /// Reads the value of the limit from `limits`, such as [`THRESHOLDS`].
    pub fn value(&self, limits: &Thresholds) -> Amount {
        match self.value {
            Value::Count(read) => Amount::Count(read(limits)),
            Value::Nanoseconds(read) => Amount::Time(Duration::from_nanos(read(limits))),
            Value::Share(read) => Amount::Share(read(limits)),
            Value::Factor(read) => Amount::Factor(read(limits)),
        }
    }
}

// === impl Amount ===

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Count(count) => write!(f, "{count}"),
            Amount::Time(time) if *time >= Duration::from_secs(1) => {
                write!(f, "{} s", time.as_secs_f64())
            }
            Amount::Time(time) => write!(f, "{} ms", time.as_nanos() as f64 / 1e6),
            Amount::Share(share) => write!(f, "{} %", (share * 1e4).round() / 1e2),
            Amount::Factor(factor) => write!(f, "{factor} times"),
        }
    }
}
