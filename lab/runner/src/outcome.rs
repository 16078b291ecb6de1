//! The results of scenarios.

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

/// A scenario with its verdicts.
#[derive(Debug)]
pub struct Finished {
    /// The scenario.
    pub scenario: Scenario,
    /// Its phases, in the order in which they were run.
    pub phases: Vec<PhaseRun>,
}

/// A phase with its verdict.
#[derive(Debug)]
pub struct PhaseRun {
    /// The verdict and its numbers.
    pub report: PhaseReport,
    /// The requests that the numbers are counted from: of a long load, the first that failed, the slowest, some
    /// others by chance, and the last.
    pub cases: Vec<Case>,
    /// The number of requests that failed, whether they are among the cases or not.
    pub(crate) failed: usize,
    /// The number of requests of a long load that were judged and are not among the cases.
    pub(crate) forgotten: usize,
    /// The number of the first cases whose lines were written into the ledger's file while the load ran; `None`
    /// if no line was.
    pub(crate) written: Option<usize>,
    /// The traces that belong to no request and began while this phase ran.
    pub unexplained: Vec<Unexplained>,
    /// The start and the end of the load, in nanoseconds since the Unix epoch.
    pub(crate) window: (u64, u64),
}

/// The result of one phase of a scenario.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseReport {
    /// The name of the scenario.
    pub name: String,
    /// The phase of the scenario.
    pub phase: Phase,
    /// The verdict on the phase.
    pub verdict: Verdict,
    /// The number of judged traces: one for each request that the scenario judges.
    pub traces: usize,
    /// The number of traces that passed.
    pub passed: usize,
    /// The number of traces that failed, requests without a trace included.
    pub failed: usize,
    /// The number of traces that could not be judged.
    pub unsupported: usize,
    /// The number of further traces that are missing because they were sampled out, which is allowed.
    #[serde(rename = "left_out", skip_serializing_if = "is_none_of_them")]
    pub sampled_out: usize,
    /// The number of spans that belong to no request; `None` if the lab has other clients too.
    pub unexplained_spans: Option<usize>,
    /// The number of spans that were lost between their end and the sink, or in the sink.
    pub dropped_spans: u64,
    /// The share of the load's time in which the machine stood still, from 0 to 1, if that excuses findings
    /// that most requests have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stalled: Option<f64>,
    /// The number of spans of a long load that came after their traces were judged.
    #[serde(skip_serializing_if = "is_no_span")]
    pub late_spans: u64,
    /// How long the load waited until the sink had room for more traces, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited_ms: Option<f64>,
    /// The number of traces on which each finding was reported.
    pub findings: BTreeMap<String, usize>,
    /// The wanted findings that could not be judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unsupported_findings: Vec<UnsupportedFinding>,
    /// The time that users waited for the replies that the scenario judges; `None` without a reply.
    pub latency_ms: Option<Latencies>,
    /// The wants of the scenario about times, with their results.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub latency: Vec<LatencyLine>,
    /// The requests, counted by their results.
    pub requests: Requests,
    /// Why the phase could not be run, or failed as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The first failed requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
}

/// A request that failed.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The id of its trace; `None` if no trace arrived.
    pub trace_id: Option<TraceId>,
    /// The answer to the request.
    pub answer: String,
    /// What is wrong apart from the trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The comparison of the trace with its expectation.
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

/// The numbers of requests, by result.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Requests {
    /// Requests with a reply of success (2xx).
    pub succeeded: u64,
    /// Requests with any other reply.
    pub refused: u64,
    /// Requests without a reply.
    pub unanswered: u64,
    /// Requests that were planned and never sent.
    pub never_started: u64,
}

// === impl Finished ===

impl Finished {
    /// The worst verdict of the phases.
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
    /// The request with the median latency among the requests that passed. Of a long load, the one of those here
    /// that is nearest to the median of all.
    pub fn median(&self) -> Option<&Case> {
        let judged = self.cases.iter().filter(|case| case.is_judged());
        let mut passed: Vec<&Case> = judged
            .filter(|case| case.verdict == Verdict::Pass && case.trace.is_some())
            .collect();
        passed.sort_by_key(|case| case.line.latency());
        if let Some(latency) = self.report.latency_ms.filter(|_| self.forgotten > 0) {
            let distance = |case: &Case| {
                let ms = case.line.latency().map(milliseconds);
                ms.map_or(f64::INFINITY, |ms| (ms - latency.p50).abs())
            };
            let nearest = |one: &&Case, other: &&Case| distance(one).total_cmp(&distance(other));
            return passed.into_iter().min_by(nearest);
        }
        passed.get(passed.len() / 2).copied()
    }

    pub(crate) fn failed_cases(&self) -> impl Iterator<Item = &Case> {
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

fn is_no_span(count: &u64) -> bool {
    *count == 0
}
