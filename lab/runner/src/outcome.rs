//! What scenarios came to.

use std::collections::BTreeMap;

use expect::Verdict;
use loadgen::Latency;
use scenario::Scenario;
use serde::Serialize;
use trace::{TraceId, milliseconds};

use crate::{
    case::{Case, Unexplained},
    judge::{findings::UnsupportedFinding, latency::LatencyLine},
    phase::Phase,
};

/// A scenario that came to its verdicts.
#[derive(Debug)]
pub struct Finished {
    /// The scenario.
    pub scenario: Scenario,
    /// Its phases, in the order in which they were run.
    pub phases: Vec<PhaseRun>,
}

/// A phase that came to its verdict.
#[derive(Debug)]
pub struct PhaseRun {
    /// The verdict and its numbers.
    pub report: PhaseReport,
    /// What they were counted from.
    pub cases: Vec<Case>,
    /// Traces that belong to no request, of the time in which this phase ran.
    pub unexplained: Vec<Unexplained>,
    /// From when to when it lasted, in nanoseconds since the Unix epoch.
    pub(crate) window: (u64, u64),
}

/// One scenario, in one phase.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseReport {
    /// The scenario.
    pub name: String,
    /// Which part of the scenario it was.
    pub phase: Phase,
    /// What it came to.
    pub verdict: Verdict,
    /// How many traces were judged: one a request that the scenario speaks of.
    pub traces: usize,
    /// How many are as they should be.
    pub passed: usize,
    /// How many are not, requests without a trace included.
    pub failed: usize,
    /// How many could not be judged.
    pub unsupported: usize,
    /// How many more are missing because they were sampled out, as they may be.
    #[serde(rename = "left_out", skip_serializing_if = "is_none_of_them")]
    pub sampled_out: usize,
    /// Spans that belong to no request; `None` where others make requests too.
    pub unexplained_spans: Option<usize>,
    /// Spans that were lost between their end and the sink, or in the sink.
    pub dropped_spans: u64,
    /// In which share of the time of the load the machine stood still, from 0 to 1, if that is why findings that most
    /// requests have are no failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stalled: Option<f64>,
    /// How many traces each finding was reported on.
    pub findings: BTreeMap<String, usize>,
    /// The findings that are wanted, and could not be asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unsupported_findings: Vec<UnsupportedFinding>,
    /// How long users waited for the replies that the scenario speaks of; `None` without a reply.
    pub latency_ms: Option<Latencies>,
    /// What the scenario wants of times, and what they came to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub latency: Vec<LatencyLine>,
    /// What became of the requests.
    pub requests: Requests,
    /// Why it could not be run, or failed as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The first of those that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
}

/// A request that is not as it should be.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// Its trace; `None` if that never came.
    pub trace_id: Option<TraceId>,
    /// What was answered.
    pub answer: String,
    /// What is wrong besides the trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What its trace must look like, held against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<expect::Report>,
}

/// Percentiles, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latencies {
    /// Half of the requests were faster.
    pub p50: f64,
    /// Nine of ten were faster.
    pub p90: f64,
    /// All but one in a hundred were faster.
    pub p99: f64,
}

/// Counts of requests.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Requests {
    /// Those that got a reply which says that all went well (2xx).
    pub succeeded: u64,
    /// Those that got any other reply.
    pub refused: u64,
    /// Those that got no reply.
    pub unanswered: u64,
    /// Those that were planned and never sent.
    pub never_started: u64,
}

// === impl Finished ===

impl Finished {
    /// The worst of its phases.
    pub fn verdict(&self) -> Verdict {
        self.phases
            .iter()
            .map(|phase| phase.report.verdict)
            .max()
            .unwrap_or(Verdict::Unsupported)
    }

    pub(crate) fn phase(&self, phase: Phase) -> Option<&PhaseRun> {
        self.phases.iter().find(|run| run.report.phase == phase)
    }
}

// === impl PhaseRun ===

impl PhaseRun {
    /// The request whose latency is the median of those that are as they should be.
    pub fn median(&self) -> Option<&Case> {
        let judged = self.cases.iter().filter(|case| case.is_judged());
        let mut passed: Vec<&Case> = judged
            .filter(|case| case.verdict == Verdict::Pass && case.trace.is_some())
            .collect();
        passed.sort_by_key(|case| case.line.latency());
        passed.get(passed.len() / 2).copied()
    }

    pub(crate) fn failed(&self) -> impl Iterator<Item = &Case> {
        self.cases
            .iter()
            .filter(|case| case.verdict == Verdict::Fail)
    }
}

// === impl Failure ===

impl Failure {
    pub(crate) fn of(case: &Case) -> Failure {
        let fails = |report: &&expect::Report| report.verdict == Verdict::Fail;
        Failure {
            trace_id: case.trace.as_ref().map(|trace| trace.id()),
            answer: case.answer(),
            why: case.why.clone(),
            report: case.report.as_ref().filter(fails).cloned(),
        }
    }
}

// === impl Latencies ===

impl Latencies {
    pub(crate) fn of(latency: Latency) -> Self {
        Latencies {
            p50: milliseconds(latency.p50),
            p90: milliseconds(latency.p90),
            p99: milliseconds(latency.p99),
        }
    }

    pub(crate) fn all(self) -> [f64; 3] {
        [self.p50, self.p90, self.p99]
    }
}

fn is_none_of_them(count: &usize) -> bool {
    *count == 0
}
