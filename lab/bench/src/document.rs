//! The result of a benchmark as a document of JSON. Fields may be added, never renamed; [`SCHEMA`] changes with their
//! meaning. Times have their unit in their name, sizes are bytes, rates are spans a second.

use serde::{Deserialize, Serialize};

/// The version of the document.
pub const SCHEMA: u32 = 1;

/// The result of a `tracelab bench` command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `bench-rate`, `bench-capacity`, `bench-ab`, `bench-soak`, `bench-spike`, `bench-chaos` or `bench-sampling`.
    pub kind: String,
    /// Whether the figures say something about the SUT.
    pub valid: bool,
    /// Why they do not, a sentence each.
    pub invalid_because: Vec<String>,
    /// `false` if it was interrupted.
    pub complete: bool,
    /// The command line, as a shell takes it.
    pub command: String,
    /// When it began: RFC 3339, UTC.
    pub began: String,
    /// Where it ran.
    pub environment: Environment,
    /// What was sent.
    pub workload: Workload,
    /// What was wanted of the result (`--require`), and whether it is so.
    pub requirements: Vec<Requirement>,
    /// Each load on a SUT, in the order of time.
    pub runs: Vec<Run>,
    /// Of `capacity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// Of `ab`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ab: Option<Ab>,
    /// Of `soak`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Soak>,
    /// Of `spike`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spike: Option<Spike>,
    /// Of `chaos`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chaos: Option<Chaos>,
    /// Of `sampling`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
}

/// The machine and the programs of a benchmark.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// `tracelab 0.1.0`.
    pub tracelab: String,
    /// Whether it is a release build.
    pub optimized: bool,
    /// `Linux 6.1.0 x86_64`.
    pub system: String,
    /// The model of the processor.
    pub processor: String,
    /// How many processors this process may use.
    pub cores: usize,
    /// The memory of the machine.
    pub memory_bytes: u64,
    /// The load average of the last minute when it began.
    pub load_average: f64,
    /// The core of the SUT, if it is pinned.
    pub sut_core: Option<usize>,
    /// The core of the generator and the receiving end, if they are pinned.
    pub own_core: Option<usize>,
    /// The most that this machine sent and received without a SUT, measured before.
    pub calibrated_spans_per_second: Option<f64>,
}

/// What was sent, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// The traces: `typical`, or a mix such as `typical:8,wide:1`.
    pub shapes: String,
    /// How many spans a request has, in turn.
    pub spans_per_request: Vec<usize>,
    /// `grpc`, `http` or `h2`.
    pub protocol: String,
    /// `none`, `gzip` or `zstd`.
    pub compression: String,
    /// How many connections are open.
    pub connections: usize,
    /// How many requests each connection has in flight at most.
    pub in_flight: usize,
    /// The planned spans a second; none is as fast as possible.
    pub rate: Option<f64>,
    /// The planned time of a load.
    pub duration_ms: f64,
    /// The seed of all that is chosen by chance.
    pub seed: u64,
    /// Bytes of a span in a request, before compression.
    pub bytes_per_span: f64,
    /// The shares of traces with an error and of slow ones.
    pub errors: f64,
    /// See `errors`.
    pub slow: f64,
    /// In how many pieces a trace is sent.
    pub pieces: usize,
    /// How many requests a piece comes after the one before it.
    pub lateness: usize,
    /// The share of requests that are sent twice.
    pub duplicates: f64,
    /// Whether refused requests are sent again.
    pub retries: bool,
}

/// A limit on the result: `loss=0`, `p99<=50ms`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Requirement {
    /// As it was given.
    pub text: String,
    /// Whether it holds.
    pub holds: bool,
    /// What was measured, with its unit.
    pub measured: String,
}

/// One load on a SUT.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// What tells it from the others: `A`, `B`, `50000/s`.
    pub label: String,
    /// The SUT, in words: its command line, or its address.
    pub sut: String,
    /// The planned spans a second; none is as fast as possible.
    pub rate: Option<f64>,
    /// Whether its figures say something about the SUT.
    pub valid: bool,
    /// Why they do not.
    pub invalid_because: Vec<String>,
    /// Delivered (or, with a receiver that returns nothing, accepted) spans a second, over the time of the load.
    pub spans_per_second: f64,
    /// The time from the first request to the last answer.
    pub load_ms: f64,
    /// The time from the last answer until nothing more came.
    pub drain_ms: f64,
    /// The fate of every span.
    pub accounts: Accounts,
    /// The time from the intended send time (see `latency_from`) to the arrival behind the SUT.
    pub latency_ms: Option<Latency>,
    /// `intended send time` or `send time`.
    pub latency_from: String,
    /// The time from the intended send time to the answer of the SUT.
    pub answer_ms: Option<Latency>,
    /// The SUT's processes.
    pub sut_used: Option<Used>,
    /// The generator.
    pub generator: Used,
    /// The receiving end.
    pub sink: Option<Used>,
    /// How late requests were begun although nothing but the generator held them back.
    pub lag_ms: Option<Latency>,
    /// Requests, bytes and answers.
    pub sent: Sent,
    /// What was measured each interval of the load and of the drain.
    pub series: Vec<Sample>,
    /// What is worth knowing and makes nothing invalid.
    pub notes: Vec<String>,
    /// The last lines of the SUT, where it failed.
    pub sut_said: Vec<String>,
}

/// The fate of every span: the fields but `planned` add up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    /// All spans that were to be sent.
    pub planned: u64,
    /// No request with it was begun.
    pub never_sent: u64,
    /// Its last answer was a refusal.
    pub refused: u64,
    /// It arrived once.
    pub delivered_once: u64,
    /// It arrived more than once.
    pub duplicated: u64,
    /// It arrived with other content than was sent.
    pub corrupted: u64,
    /// It was sent and did not arrive.
    pub lost: u64,
    /// Its request had no answer at the deadline, and it did not arrive.
    pub in_flight: u64,
    /// The SUT's sampling policy is known and agrees that it is left out.
    pub sampled_out: u64,
    /// It was accepted by a receiver that returns nothing: delivery was not seen.
    pub accepted: u64,
    /// Spans that arrived and that nobody sent; not a part of the sum.
    pub foreign: u64,
}

/// Quantiles of times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// The shortest.
    pub min: f64,
    /// The median.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

/// CPU and memory of a part of the benchmark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// CPU time, of the load and the drain.
    pub cpu_seconds: f64,
    /// CPU time by the spans that arrived, or were accepted where nothing returns, or were sent (of the generator).
    pub cpu_ns_per_span: f64,
    /// CPU time by the time of the load, of one core.
    pub cpu_share: f64,
    /// The highest memory: proportional set size (PSS), or resident where the system has no PSS.
    pub peak_bytes: u64,
    /// The memory at the end of the drain.
    pub end_bytes: u64,
    /// The highest number of threads.
    pub threads: u64,
    /// How often the quota of its cgroup held it back.
    pub throttled: u64,
}

/// Requests, and what was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Requests that were begun, without retries.
    pub requests: u64,
    /// Sent again after a refusal, or after a connection broke.
    pub retries: u64,
    /// Refusals that say when to send again.
    pub refused_with_delay: u64,
    /// Bytes of bodies as they were sent.
    pub bytes: u64,
    /// Bytes of bodies before compression.
    pub plain_bytes: u64,
    /// Connections that took the place of one that broke.
    pub reconnected: u64,
}

/// One interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Its end, after the first request.
    pub at_ms: f64,
    /// Sent spans a second.
    pub sent: f64,
    /// Arrived spans a second.
    pub arrived: f64,
    /// Refused spans a second.
    pub refused: f64,
    /// CPU time by time, of one core.
    pub sut_cpu: f64,
    /// See `sut_cpu`.
    pub generator_cpu: f64,
    /// See `sut_cpu`.
    pub sink_cpu: f64,
    /// Memory of the SUT.
    pub sut_bytes: u64,
    /// Threads of the SUT.
    pub sut_threads: u64,
    /// Requests without an answer.
    pub in_flight: u64,
    /// 99 % of the latencies of this interval; none where nothing arrived.
    pub p99_ms: Option<f64>,
}

/// The highest rate that holds the limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// The limits.
    pub limits: Vec<String>,
    /// The highest rate that held, spans a second; none if not even the lowest did.
    pub spans_per_second: Option<f64>,
    /// The lowest rate that did not hold; none if the machine's own limit was met before.
    pub fails_at: Option<f64>,
    /// How often the highest rate that held was tried, and how often it held.
    pub confirmed: (u32, u32),
    /// What is known by that, in words.
    pub confidence: String,
    /// The steps of the search, with the numbers of their runs.
    pub steps: Vec<CapacityStep>,
}

/// A step of the search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityStep {
    /// Spans a second.
    pub rate: f64,
    /// Whether the limits held.
    pub holds: bool,
    /// What did not hold, with what was measured.
    pub why: String,
    /// The number of its run in `runs`, from 0.
    pub run: usize,
}

/// Two SUTs side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ab {
    /// What is compared: `CPU time a span`, `spans a second`, `p99`.
    pub metric: String,
    /// `lower` or `higher`: which is better.
    pub better: String,
    /// The two arms, in words.
    pub a: String,
    /// See `a`.
    pub b: String,
    /// B / A.
    pub ratio: f64,
    /// The interval of the ratio.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// The confidence of the interval: 0.99.
    pub confidence: f64,
    /// `no difference seen`, `B is higher` or `B is lower`.
    pub verdict: String,
    /// The metric in each block of an A and a B.
    pub pairs: Vec<(f64, f64)>,
    /// The other metrics, with the same interval.
    pub others: Vec<AbMetric>,
}

/// A further metric of two SUTs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AbMetric {
    /// Its name.
    pub metric: String,
    /// B / A.
    pub ratio: f64,
    /// The interval of the ratio.
    pub low: f64,
    /// See `low`.
    pub high: f64,
}

/// A long load: what grows?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Soak {
    /// Bytes of memory a minute, by a line through the second half of the samples.
    pub memory_bytes_per_minute: f64,
    /// The interval of that.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// `grows`, `shrinks` or `no growth seen`.
    pub verdict: String,
}

/// A burst.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spike {
    /// The rate before and after.
    pub base_rate: f64,
    /// The rate of the burst.
    pub burst_rate: f64,
    /// When the burst began and ended, after the first request.
    pub began_ms: f64,
    /// See `began_ms`.
    pub ended_ms: f64,
    /// 99 % of the latencies before the burst.
    pub p99_before_ms: f64,
    /// The time from the end of the burst until an interval had at most twice the p99 from before; none if that was
    /// not seen.
    pub recovered_ms: Option<f64>,
}

/// What was done to the SUT or the receiving end in the middle of the load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chaos {
    /// `kill-sut`, `pause-sut`, `kill-sink` or `pause-sink`.
    pub what: String,
    /// When, after the first request.
    pub at_ms: f64,
    /// When it was started again, or went on.
    pub back_ms: f64,
    /// The time from then until the first span arrived; none if none did.
    pub first_after_ms: Option<f64>,
}

/// What a sampling policy kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// The policy, in words.
    pub policy: String,
    /// Traces by what they are.
    pub groups: Vec<SamplingGroup>,
    /// Traces of which some spans arrived and some did not.
    pub broken: u64,
}

/// The traces of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SamplingGroup {
    /// `errors`, `slow`, `errors and slow` or `the rest`.
    pub group: String,
    /// How many were sent.
    pub traces: u64,
    /// How many arrived whole.
    pub kept: u64,
    /// The share that ought to arrive.
    pub wanted_share: f64,
    /// Whether what was kept agrees with that.
    pub holds: bool,
}

// === impl Accounts ===

impl Accounts {
    /// The spans that have a fate: all that were planned.
    pub fn fates(&self) -> u64 {
        let fates = [
            self.never_sent,
            self.refused,
            self.delivered_once,
            self.duplicated,
            self.corrupted,
            self.lost,
            self.in_flight,
            self.sampled_out,
            self.accepted,
        ];
        fates.iter().sum()
    }

    /// The spans that arrived.
    pub fn arrived(&self) -> u64 {
        self.delivered_once + self.duplicated + self.corrupted
    }
}
