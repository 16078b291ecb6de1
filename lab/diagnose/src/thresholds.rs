//! All thresholds in one place, as data, each with its source.
//!
//! *Sentry* is the documentation of its performance issues; *perf-sentinel* its detection rules; *ours*
//! is a number of which no public source was found.

/// The numbers that the rules go by. Times are in nanoseconds.
#[derive(Clone, Debug)]
pub struct Thresholds {
    /// `n-plus-one`: this many reads of one shape under one parent (Sentry: 5 equal hashes).
    pub n_plus_one_queries: usize,
    /// `n-plus-one`: what they must take together if another query went before (Sentry: 50 ms).
    pub n_plus_one_ns: u64,
    /// `n-plus-one`: this many of them need no time and no query before (perf-sentinel: critical).
    pub n_plus_one_many: usize,
    /// `n-plus-one` of calls: this many of one route under one parent (Sentry: 5).
    pub n_plus_one_calls: usize,
    /// `n-plus-one` of calls: what they must take together (Sentry: 300 ms).
    pub n_plus_one_calls_ns: u64,
    /// `n-plus-one` of groups: the longest pattern that is looked for (Sentry).
    pub group_length: usize,
    /// `n-plus-one` of groups: how often it must be there (Sentry).
    pub group_times: usize,
    /// `sequential-calls`: what could be saved at least (Sentry: 100 ms, scaled to a demo).
    pub sequential_saved_ns: u64,
    /// `sequential-calls` of database reads, which often share a connection (Sentry: 100 ms).
    pub sequential_saved_database_ns: u64,
    /// `sequential-calls`: what could be saved of the parent (Sentry: 10 %).
    pub sequential_share: f64,
    /// `slow-external`: this long is slow (Sentry: 500 ms).
    pub slow_external_ns: u64,
    /// `slow-query`: this long is slow (Sentry: 500 ms).
    pub slow_query_ns: u64,
    /// Both: this share of the critical path is slow too (Sentry)…
    pub slow_share: f64,
    /// …from this length on: a share of little is little (ours).
    pub slow_share_from_ns: u64,
    /// `lock-wait`, `pool-wait`: the share of the parent that is waited (ours).
    pub wait_share: f64,
    /// `lock-wait`, `pool-wait`: how long is waited at least (ours).
    pub wait_ns: u64,
    /// Waits that no span shows: how near the end of another's turn and one's own beginning are (ours).
    pub handover_ns: u64,
    /// Waits that no span shows: how often it must be seen in a run (ours).
    pub handovers: usize,
    /// `retry-storm`: this many attempts (ours).
    pub retry_attempts: usize,
    /// `retry-storm`: pauses that grow by less than this from first to last are no backoff (ours).
    pub backoff_growth: f64,
    /// `retry-storm`: a pause that is shorter than this is none (ours).
    pub backoff_ns: u64,
    /// `clock-skew`: by how much a call may leave its caller on clocks that agree (ours).
    pub skew_ns: u64,
    /// `abandoned-work`: how long the work goes on at least (ours).
    pub abandoned_ns: u64,
    /// `queue-delay`: this long in a queue is long (ours).
    pub queue_ns: u64,
    /// `queue-delay`: this share of the trace is long too, from `slow_share_from_ns` on (ours).
    pub queue_share: f64,
    /// `redelivery`: a message that failed and is tried so often goes round in circles (ours).
    pub redeliveries: usize,
    /// `unbounded-names`: this many names of one pattern (ours).
    pub distinct_names: usize,
    /// `blocked-runtime`: how long a process stands still at least (ours).
    pub blocked_ns: u64,
    /// `blocked-runtime`: how often it must be seen in a run (ours).
    pub blocked_times: usize,
    /// `chatty`: more children than this, one after the other (perf-sentinel: 20).
    pub chatty_children: usize,
    /// `chatty`: this many outbound calls, one after the other (perf-sentinel: 15).
    pub chatty_calls: usize,
    /// `span-flood`: more spans than this in a trace (ours; Tempo's default of 5 MB a trace is some
    /// ten thousand spans)…
    pub flood_spans: usize,
    /// …of which this share is of one service and one name (ours).
    pub flood_share: f64,
    /// `wrong-parent`: how well a span must fit into the gap of a span that is not its parent, as a
    /// share of its length (ours).
    pub gap_fit: f64,
    /// `wrong-parent`: and in any case this well (ours).
    pub gap_fit_ns: u64,
}

const MS: u64 = 1_000_000;

/// The defaults.
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
