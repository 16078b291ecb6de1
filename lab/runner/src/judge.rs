//! Comes to a verdict on every request of a phase, and on the phase.

use std::sync::Arc;

use collector::Sampling;
use expect::{Evidence, Report, Twin, Verdict};
use loadgen::Line;
use scenario::Expectation;
use trace::{Trace, TraceId};

use crate::{
    drive::Driven, latency::LatencyLine, left_out::may_be_missing, part::Part, traces::Found,
};

/// One request, with its trace and what was found of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The request.
    pub line: Line,
    /// Its trace, as it was judged; `None` if it never came.
    pub trace: Option<Arc<Trace>>,
    /// The traces that have to do with it.
    pub related: Vec<Trace>,
    /// Whether it is missing because it was sampled out, as it may be.
    pub left_out: bool,
    /// What became of it.
    pub verdict: Verdict,
    /// What its trace must look like, held against it; `None` where nothing is said of it.
    pub report: Option<Report>,
    /// What the diagnosis reports of it.
    pub findings: Vec<diagnose::Finding>,
    /// What is wrong besides.
    pub why: Option<String>,
}

/// A trace that belongs to no request.
#[derive(Clone, Debug)]
pub struct Unexplained {
    /// The trace.
    pub trace_id: TraceId,
    /// How many spans it has.
    pub spans: usize,
    /// The service and the name of its first span.
    pub first: String,
    /// When it began, in nanoseconds since the Unix epoch.
    pub began: u64,
}

impl Unexplained {
    /// What of it belongs to no request, in words.
    pub(crate) fn in_words(&self) -> String {
        let first = &self.first;
        match self.spans {
            1 => format!("1 span that belongs to no request: {first}"),
            spans => format!("{spans} spans that belong to no request, the first {first}"),
        }
    }
}

const NO_TRACE: &str = "its trace never came";
const NOT_SAMPLED: &str = "its service said that it is not sampled, and it came all the same";
const NOT_SILENT: &str =
    "all that the scenario expects of the faulty trace is so, and there should be no sign of it";
const NOT_KNOWN: &str = "whether it looks as the faulty trace does cannot be known";

/// Judges all requests of a phase.
pub(crate) fn cases(
    part: Part<'_>,
    driven: &Driven,
    twin: Option<&Twin>,
    latency: &[LatencyLine],
    sampling: Option<Sampling>,
) -> Vec<Case> {
    // Where the times of the whole phase belong to the pattern, all of it must be there.
    let verdicts = latency.iter().map(|line| line.verdict);
    let of_times = verdicts.max().unwrap_or(Verdict::Pass);
    driven
        .load
        .lines
        .iter()
        .zip(&driven.found)
        .map(|(line, found)| {
            let judged = line.step.counts();
            let left_out = found.trace.is_none()
                && line.started.is_some()
                && may_be_missing(part, line, sampling);
            let (verdict, report, why) = match &found.trace {
                None if left_out => (Verdict::Pass, None, None),
                Some(_) if line.unsampled => (Verdict::Fail, None, Some(NOT_SAMPLED)),
                // It was never sent, so there is nothing to be found.
                None if line.started.is_none() => (Verdict::Pass, None, None),
                None => (Verdict::Fail, None, Some(NO_TRACE)),
                Some(_) if !judged => (Verdict::Pass, None, None),
                Some(trace) => judge(part, trace, found, twin, of_times),
            };
            Case {
                line: line.clone(),
                trace: found.trace.clone(),
                related: found.related.clone(),
                left_out,
                verdict,
                report,
                findings: Vec::new(),
                why: why.map(str::to_owned),
            }
        })
        .collect()
}

fn judge(
    part: Part<'_>,
    trace: &Trace,
    found: &Found,
    twin: Option<&Twin>,
    of_times: Verdict,
) -> (Verdict, Option<Report>, Option<&'static str>) {
    let check = |expectation: &Expectation| {
        let evidence = Evidence {
            trace,
            related: &found.related,
            arrival: found.arrival,
            twin,
        };
        expect::check_with(expectation, evidence)
    };
    let own = part.own.map(check);
    let own_verdict = own.as_ref().map_or(Verdict::Pass, |own| own.verdict);
    if !part.phase.is_silent() || own_verdict == Verdict::Fail || of_times == Verdict::Fail {
        return (own_verdict, own, None);
    }
    let shown = check(&part.scenario.expect);
    match shown.verdict.max(of_times) {
        Verdict::Fail => (own_verdict, own, None),
        Verdict::Pass => (Verdict::Fail, Some(shown), Some(NOT_SILENT)),
        Verdict::Unsupported => (Verdict::Unsupported, Some(shown), Some(NOT_KNOWN)),
    }
}

/// The traces of nobody, in a few words.
pub(crate) fn unexplained(trace: &Trace) -> Unexplained {
    let first = trace.spans().first();
    Unexplained {
        trace_id: trace.id(),
        spans: trace.spans().len(),
        first: first
            .map(|span| format!("{} {}", span.service(), span.name))
            .unwrap_or_default(),
        began: trace.start_ns(),
    }
}

// === impl Case ===

impl Case {
    /// Whether this is a request that the scenario speaks of, and that has not been sampled out.
    pub fn is_judged(&self) -> bool {
        self.line.step.counts() && self.line.started.is_some() && !self.left_out
    }
}
