//! The limits that the rules go by, as data.
//!
//! [`Thresholds`] holds their values. Each rule lists those that it goes by as [`Threshold`]s, with the
//! source of each number: *Sentry* is the documentation of its performance issues, *perf-sentinel* its
//! detection rules, and *ours* a number for which no public source was found.

use std::{fmt, time::Duration};

/// The values of all limits. Times are in nanoseconds.
#[derive(Clone, Debug)]
pub struct Thresholds {
    /// `n-plus-one`: queries of one shape under one parent, after a query of another shape.
    pub n_plus_one_queries: usize,
    /// `n-plus-one`: what these queries must take together.
    pub n_plus_one_ns: u64,
    /// `n-plus-one`: queries of one shape under one parent that need neither a time nor a query before.
    pub n_plus_one_many: usize,
    /// `n-plus-one`: calls of one route under one parent.
    pub n_plus_one_calls: usize,
    /// `n-plus-one`: what these calls must take together.
    pub n_plus_one_calls_ns: u64,
    /// `n-plus-one` of groups: the length of the longest pattern that is looked for, in spans.
    pub group_length: usize,
    /// `n-plus-one` of groups: how often the pattern must be there.
    pub group_times: usize,
    /// `sequential-calls`: the least time that calls at once would save.
    pub sequential_saved_ns: u64,
    /// `sequential-calls`: the same for database reads, which often share a connection.
    pub sequential_saved_database_ns: u64,
    /// `sequential-calls`: the least share of the parent that would be saved.
    pub sequential_share: f64,
    /// `slow-external`: how long a slow call takes.
    pub slow_external_ns: u64,
    /// `slow-query`: how long a slow statement takes.
    pub slow_query_ns: u64,
    /// `slow-query`, `slow-external`: the share of the critical path that is slow whatever it takes…
    pub slow_share: f64,
    /// …from this length on, for a share of little is little; also in `queue-delay`.
    pub slow_share_from_ns: u64,
    /// `lock-wait`, `pool-wait`: the least share of the parent that is waited.
    pub wait_share: f64,
    /// `lock-wait`, `pool-wait`, `deadlock`: the least wait.
    pub wait_ns: u64,
    /// Waits that no span shows: the time between the end of another's turn and the beginning of one's
    /// own, at most. `broken-propagation`: by how much an answer may leave its call.
    pub handover_ns: u64,
    /// Waits that no span shows: how often a handover must be seen in a run.
    pub handovers: usize,
    /// `retry-storm`: the least number of attempts.
    pub retry_attempts: usize,
    /// `retry-storm`: the factor by which pauses must grow from first to last to be a backoff.
    pub backoff_growth: f64,
    /// `retry-storm`: the least pause of a backoff.
    pub backoff_ns: u64,
    /// `clock-skew`: by how much a call may leave its caller on clocks that agree.
    pub skew_ns: u64,
    /// `abandoned-work`: how long the work goes on at least.
    pub abandoned_ns: u64,
    /// `queue-delay`: how long a message must lie in a queue.
    pub queue_ns: u64,
    /// `queue-delay`: the share of the trace that is long too, from `slow_share_from_ns` on.
    pub queue_share: f64,
    /// `redelivery`: the attempts after which a message that fails each time goes round in circles.
    pub redeliveries: usize,
    /// `unbounded-names`: the names of one pattern in a run.
    pub distinct_names: usize,
    /// `blocked-runtime`: how long a process stands still at least.
    pub blocked_ns: u64,
    /// `blocked-runtime`: how often that must be seen in a run.
    pub blocked_times: usize,
    /// `chatty`: children one after the other; more than this are too many.
    pub chatty_children: usize,
    /// `chatty`: outbound calls one after the other.
    pub chatty_calls: usize,
    /// `span-flood`: spans of a trace; more than this are too many…
    pub flood_spans: usize,
    /// …if this share of them is of one service and one name.
    pub flood_share: f64,
    /// `wrong-parent`: how well a span must fit into the gap of a span that is not its parent, as a
    /// share of its length…
    pub gap_fit: f64,
    /// …and in any case to this time.
    pub gap_fit_ns: u64,
}

/// A limit that a rule goes by, with the source of its number.
pub struct Threshold {
    /// What is limited, in a few words.
    pub what: &'static str,
    /// Where the number comes from.
    pub source: &'static str,
    value: Value,
}

/// The value of a limit. It is written with its unit: `5`, `50 ms`, `30 %`, `1.3 times`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// A number of things.
    Count(usize),
    /// A time.
    Time(Duration),
    /// A share of a whole, of which 1 is all.
    Share(f64),
    /// A multiple of something.
    Factor(f64),
}

/// How the value of a limit is read.
enum Value {
    Count(fn(&Thresholds) -> usize),
    Nanoseconds(fn(&Thresholds) -> u64),
    Share(fn(&Thresholds) -> f64),
    Factor(fn(&Thresholds) -> f64),
}

/// Our own number, for which no public source was found.
pub(crate) const OURS: &str = "ours";
/// The documentation of Sentry's performance issues.
pub(crate) const SENTRY: &str = "Sentry";
/// The detection rules of perf-sentinel.
pub(crate) const PERF_SENTINEL: &str = "perf-sentinel";

const MS: u64 = 1_000_000;

/// The values that the rules go by unless they are given others.
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
    /// A limit of a number of things.
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

    /// A limit of a time, in nanoseconds.
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

    /// A limit of a share.
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

    /// A limit of a multiple.
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

    /// Reads its value from some limits, such as [`THRESHOLDS`].
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
