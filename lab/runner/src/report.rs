//! What a run came to, for people and for machines.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use expect::Verdict;
use loadgen::Latency;
use serde::Serialize;
use trace::waterfall::Style;

use crate::judge::{Case, Judgement};

/// How many failures are shown in full; the rest are counted.
const SHOWN: usize = 3;

/// The document that `tracelab run --format json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The worst of the scenarios.
    pub verdict: Verdict,
    /// A part a scenario and phase.
    pub scenarios: Vec<ScenarioReport>,
}

/// One scenario, in one phase.
#[derive(Clone, Debug, Serialize)]
pub struct ScenarioReport {
    /// The scenario.
    pub name: String,
    /// Which part of the scenario it was.
    pub phase: Phase,
    /// What it came to.
    pub verdict: Verdict,
    /// How many traces were judged: one a checkout.
    pub traces: usize,
    /// How many are as they should be.
    pub passed: usize,
    /// How many are not, requests without a trace included.
    pub failed: usize,
    /// How many could not be judged.
    pub unsupported: usize,
    /// Spans that belong to no request.
    pub unexplained_spans: usize,
    /// Spans that were lost between their end and the sink, or in the sink.
    pub dropped_spans: u64,
    /// How many traces each finding was reported on.
    pub findings: BTreeMap<String, usize>,
    /// How long customers waited for the reply to their checkout; `None` without a reply.
    pub latency_ms: Option<Latencies>,
}

/// The part of a scenario that was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The scenario itself, with its faults if it has any.
    Faulty,
    /// The same load without the fault.
    Twin,
    /// What looks alike and is healthy.
    NearMiss,
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

// === impl Report ===

impl Report {
    /// The report over several scenarios.
    pub fn new(scenarios: Vec<ScenarioReport>) -> Self {
        let verdict = scenarios
            .iter()
            .map(|part| part.verdict)
            .max()
            .unwrap_or(Verdict::Unsupported);
        Report { verdict, scenarios }
    }
}

// === impl ScenarioReport ===

impl ScenarioReport {
    pub(crate) fn new(
        name: &str,
        judgement: &Judgement,
        latency: Option<Latency>,
        dropped_spans: u64,
    ) -> Self {
        let checkouts: Vec<&Case> = judgement
            .cases
            .iter()
            .filter(|case| case.is_checkout())
            .collect();
        let with = |verdict| {
            checkouts
                .iter()
                .filter(|case| case.verdict() == verdict)
                .count()
        };
        let (passed, failed, unsupported) = (
            with(Verdict::Pass),
            with(Verdict::Fail),
            with(Verdict::Unsupported),
        );
        let unexplained_spans = judgement.unexplained_spans();
        let worst = judgement.cases.iter().map(Case::verdict).max();
        let verdict = match worst {
            // A run in which nothing was judged has proven nothing.
            None => Verdict::Fail,
            _ if checkouts.is_empty() || unexplained_spans > 0 || dropped_spans > 0 => {
                Verdict::Fail
            }
            Some(worst) => worst,
        };
        ScenarioReport {
            name: name.to_owned(),
            phase: Phase::Faulty,
            verdict,
            traces: checkouts.len(),
            passed,
            failed,
            unsupported,
            unexplained_spans,
            dropped_spans,
            findings: BTreeMap::new(),
            latency_ms: latency.map(Latencies::new),
        }
    }

    /// The report for people: the failures, the waterfall of the median trace, and a summary.
    pub fn text(&self, title: &str, judgement: &Judgement, style: &Style) -> String {
        let mut text = String::new();
        push_failures(&mut text, &self.name, judgement, style.colour);
        if let Some(trace) = judgement.median().and_then(|case| case.trace.as_ref()) {
            let _ = writeln!(text, "The trace of the median request:\n");
            text.push_str(&trace::waterfall::render(trace, style));
            text.push('\n');
        }
        let verdict = match self.verdict {
            Verdict::Pass => "PASS",
            Verdict::Fail => "FAIL",
            Verdict::Unsupported => "UNSUPPORTED",
        };
        let _ = writeln!(text, "{verdict} {}: {title}", self.name);
        let _ = writeln!(
            text,
            "  traces   {} of {} match, {} unsupported",
            self.passed, self.traces, self.unsupported
        );
        let _ = writeln!(
            text,
            "  spans    {} unexplained, {} dropped",
            self.unexplained_spans, self.dropped_spans
        );
        if let Some(Latencies { p50, p90, p99 }) = self.latency_ms {
            let _ = writeln!(
                text,
                "  latency  p50 {p50:.0} ms, p90 {p90:.0} ms, p99 {p99:.0} ms"
            );
        }
        text
    }
}

fn push_failures(text: &mut String, name: &str, judgement: &Judgement, colour: bool) {
    let failed: Vec<&Case> = judgement
        .cases
        .iter()
        .filter(|case| case.verdict() == Verdict::Fail)
        .collect();
    for case in failed.iter().take(SHOWN) {
        match (&case.report, &case.trace) {
            (Some(report), _) => text.push_str(&report.text(name, &answer(case), colour)),
            _ => {
                let _ = writeln!(text, "FAIL {name}  no trace in the sink  {}", answer(case));
            }
        }
        text.push('\n');
    }
    if failed.len() > SHOWN {
        let _ = writeln!(text, "… and {} more failed\n", failed.len() - SHOWN);
    }
    for trace in judgement.unexplained.iter().take(SHOWN) {
        let _ = writeln!(
            text,
            "UNEXPLAINED trace {}: {} spans that belong to no request, the first {}\n",
            trace.trace_id, trace.spans, trace.first
        );
    }
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

// === impl Latencies ===

impl Latencies {
    fn new(latency: Latency) -> Self {
        let ms = |duration: Duration| duration.as_secs_f64() * 1_000.0;
        Latencies {
            p50: ms(latency.p50),
            p90: ms(latency.p90),
            p99: ms(latency.p99),
        }
    }
}
