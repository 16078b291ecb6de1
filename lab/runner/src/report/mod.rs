//! What a run came to, for people and for machines.

mod files;
mod junit;
mod markdown;
mod text;

use std::collections::BTreeMap;

use diagnose::counted;
use expect::Verdict;
use loadgen::Latency;
use serde::Serialize;
use trace::TraceId;

use crate::{
    drive::Driven,
    findings::{self, UnsupportedFinding},
    judge::Case,
    latency::{LatencyLine, ms},
    part::{Part, Phase},
    run::{Finished, PhaseRun},
};

pub use files::{FilesError, Kept, write_files};
pub use junit::junit;
pub use markdown::markdown;
pub use text::{summary, text};

/// How many failures are shown in full; the rest are counted.
const SHOWN: usize = 3;

/// How many failures the JSON has.
const TOLD: usize = 20;

/// The document that `tracelab run --format json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The worst of the scenarios.
    pub verdict: Verdict,
    /// A part a scenario and phase.
    pub scenarios: Vec<PhaseReport>,
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
    #[serde(skip_serializing_if = "is_none_of_them")]
    pub left_out: usize,
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

// === impl Report ===

impl Report {
    /// The report over several scenarios.
    pub fn new(finished: &[Finished]) -> Self {
        let phases = finished.iter().flat_map(|scenario| &scenario.phases);
        let scenarios: Vec<PhaseReport> = phases.map(|phase| phase.report.clone()).collect();
        let verdict = scenarios
            .iter()
            .map(|part| part.verdict)
            .max()
            .unwrap_or(Verdict::Unsupported);
        Report { verdict, scenarios }
    }

    /// How many phases could not be judged.
    pub fn unsupported(&self) -> usize {
        let phases = self.scenarios.iter();
        phases
            .filter(|phase| phase.verdict == Verdict::Unsupported)
            .count()
    }
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
    /// A phase that was driven and judged.
    pub(crate) fn new(
        part: Part<'_>,
        driven: &Driven,
        mut cases: Vec<Case>,
        latency: Vec<LatencyLine>,
        terms: findings::Terms<'_>,
        wrong_share: Option<String>,
    ) -> PhaseRun {
        let wrong = findings::judge(part, &mut cases, terms).or(wrong_share);
        let judged = || cases.iter().filter(|case| case.is_judged());
        let with = |verdict| judged().filter(|case| case.verdict == verdict).count();
        let progress = driven.load.progress;
        let mut report = PhaseReport {
            name: part.scenario.name.clone(),
            phase: part.phase,
            verdict: Verdict::Pass,
            traces: judged().count(),
            passed: with(Verdict::Pass),
            failed: with(Verdict::Fail),
            unsupported: with(Verdict::Unsupported),
            left_out: cases
                .iter()
                .filter(|case| case.left_out && case.line.step.counts())
                .count(),
            unexplained_spans: None,
            dropped_spans: driven.lost_spans,
            stalled: driven
                .stalled
                .filter(|_| findings::come_of_the_load(part, &cases)),
            findings: findings::counts(&cases),
            unsupported_findings: findings::unsupported(part, terms.conditions),
            latency_ms: driven.load.checkout.map(Latencies::new),
            latency,
            requests: Requests {
                succeeded: progress.succeeded,
                refused: progress.refused,
                unanswered: progress.unanswered,
                never_started: progress.never_started,
            },
            why: None,
            failures: Vec::new(),
        };
        report.verdict = report.judge(cases.iter().map(|case| case.verdict));
        if !report.unsupported_findings.is_empty() {
            report.verdict = report.verdict.max(Verdict::Unsupported);
        }
        if wrong.is_some() {
            report.verdict = Verdict::Fail;
            report.why = report.why.or(wrong);
        } else if report.verdict == Verdict::Unsupported && report.why.is_none() {
            let unsupported = part.wants_that_lack(terms.conditions);
            report.why = unsupported.or_else(|| report.times_not_judged());
        }
        let (began, ended) = driven.window();
        let mut run = PhaseRun {
            report,
            cases,
            unexplained: Vec::new(),
            window: (began.0, ended.0),
        };
        run.report.failures = run.failed().take(TOLD).map(Failure::new).collect();
        run
    }

    /// A phase that could not be run.
    pub(crate) fn unsupported(part: Part<'_>, reason: &str) -> PhaseRun {
        let report = PhaseReport {
            name: part.scenario.name.clone(),
            phase: part.phase,
            verdict: Verdict::Unsupported,
            traces: 0,
            passed: 0,
            failed: 0,
            unsupported: 0,
            left_out: 0,
            unexplained_spans: Some(0),
            dropped_spans: 0,
            stalled: None,
            findings: BTreeMap::new(),
            unsupported_findings: Vec::new(),
            latency_ms: None,
            latency: Vec::new(),
            requests: Requests::default(),
            why: Some(reason.to_owned()),
            failures: Vec::new(),
        };
        PhaseRun {
            report,
            cases: Vec::new(),
            unexplained: Vec::new(),
            window: (u64::MAX, 0),
        }
    }

    /// Once all traces of nobody are found.
    pub(crate) fn count_unexplained(&mut self) {
        let spans = self.unexplained.iter().map(|trace| trace.spans).sum();
        self.report.unexplained_spans = Some(spans);
        if spans > 0 {
            if self.report.verdict == Verdict::Unsupported {
                // That says why it was not judged, and not why it fails.
                self.report.why = None;
            }
            self.report.verdict = Verdict::Fail;
        }
    }

    /// The request whose latency is the median of those that are as they should be.
    pub fn median(&self) -> Option<&Case> {
        let judged = self.cases.iter().filter(|case| case.is_judged());
        let mut passed: Vec<&Case> = judged
            .filter(|case| case.verdict == Verdict::Pass && case.trace.is_some())
            .collect();
        passed.sort_by_key(|case| case.line.latency());
        passed.get(passed.len() / 2).copied()
    }

    fn failed(&self) -> impl Iterator<Item = &Case> {
        self.cases
            .iter()
            .filter(|case| case.verdict == Verdict::Fail)
    }
}

// === impl Failure ===

impl Failure {
    fn new(case: &Case) -> Failure {
        let fails = |report: &&expect::Report| report.verdict == Verdict::Fail;
        Failure {
            trace_id: case.trace.as_ref().map(|trace| trace.id()),
            answer: answer(case),
            why: case.why.clone(),
            report: case.report.as_ref().filter(fails).cloned(),
        }
    }
}

// === impl PhaseReport ===

impl PhaseReport {
    fn judge(&mut self, cases: impl Iterator<Item = Verdict>) -> Verdict {
        let mut verdict = cases.max().unwrap_or(Verdict::Fail);
        if self.traces == 0 && self.left_out > 0 && verdict != Verdict::Fail {
            let traces = counted(self.left_out, "trace");
            self.why = Some(format!(
                "none of its {traces} was kept: there is nothing to judge"
            ));
            verdict = Verdict::Unsupported;
        } else if self.traces == 0 {
            // A run in which nothing was judged has proven nothing.
            self.why = Some("no request of it was made".to_owned());
            verdict = Verdict::Fail;
        }
        if self.dropped_spans > 0 {
            verdict = Verdict::Fail;
        }
        if !self.phase.is_silent() {
            let wanted = self.latency.iter().map(|line| line.verdict).max();
            verdict = verdict.max(wanted.unwrap_or(Verdict::Pass));
        }
        verdict
    }

    /// Why the first of the times was not judged that was not.
    fn times_not_judged(&self) -> Option<String> {
        let mut lines = self.latency.iter();
        lines.find_map(|line| {
            let why = line.why.as_ref()?;
            Some(format!("{} {}: {why}", line.what, line.percentile))
        })
    }
}

fn is_none_of_them(count: &usize) -> bool {
    *count == 0
}

/// What the shop answered, in a few words.
fn answer(case: &Case) -> String {
    let line = &case.line;
    let step = line.step.as_str();
    match (line.status, &line.reply) {
        (Some(status), None) => format!("{step} → {status}"),
        (Some(status), Some(reply)) => format!("{step} → {status} {reply}"),
        (None, Some(reply)) => format!("{step}: {reply}"),
        (None, None) => format!("{step}: no reply"),
    }
}

/// The word for a verdict.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Unsupported => "UNSUPPORTED",
    }
}

// === impl Latencies ===

impl Latencies {
    fn new(latency: Latency) -> Self {
        Latencies {
            p50: ms(latency.p50),
            p90: ms(latency.p90),
            p99: ms(latency.p99),
        }
    }

    fn all(self) -> [f64; 3] {
        [self.p50, self.p90, self.p99]
    }
}
