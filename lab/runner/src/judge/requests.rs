//! Gives the verdict on every request of a phase.

use collector::Sampling;
use expect::{Observed, Report, Twin, Verdict};
use scenario::Expectation;
use trace::Trace;

use super::latency::LatencyLine;
use crate::{
    case::Case, drive::PhaseTraces, plan::PhasePlan, sampled_out::may_be_missing, traces::Found,
};

const NO_TRACE: &str = "its trace never came";
const NOT_SAMPLED: &str = "its service said that it is not sampled, and it came all the same";
const NOT_SILENT: &str =
    "all that the scenario expects of the faulty trace is so, and there should be no sign of it";
const NOT_KNOWN: &str = "whether it looks as the faulty trace does cannot be known";

/// Judges all requests of a phase.
pub(super) fn judge_all(
    plan: PhasePlan<'_>,
    driven: &PhaseTraces,
    twin: Option<&Twin>,
    latency: &[LatencyLine],
    sampling: Option<Sampling>,
) -> Vec<Case> {
    // If the times of the whole phase belong to the expectation, all of them must hold too.
    let verdicts = latency.iter().map(|line| line.verdict);
    let of_times = verdicts.max().unwrap_or(Verdict::Pass);
    driven
        .load
        .lines
        .iter()
        .zip(&driven.found)
        .map(|(line, found)| {
            let judged = line.step.counts();
            let sampled_out = found.trace.is_none()
                && line.started.is_some()
                && may_be_missing(plan, line, sampling);
            let (verdict, report, why) = match &found.trace {
                None if sampled_out => (Verdict::Pass, None, None),
                Some(_) if line.unsampled => (Verdict::Fail, None, Some(NOT_SAMPLED)),
                // The request was never sent, so it has no trace.
                None if line.started.is_none() => (Verdict::Pass, None, None),
                None => (Verdict::Fail, None, Some(NO_TRACE)),
                Some(_) if !judged => (Verdict::Pass, None, None),
                Some(trace) => judge(plan, trace, found, twin, of_times),
            };
            let why = match (why, &driven.why_missing) {
                (Some(NO_TRACE), Some(cause)) => Some(format!("{NO_TRACE}: {cause}")),
                (why, _) => why.map(str::to_owned),
            };
            Case {
                line: line.clone(),
                trace: found.trace.clone(),
                related: found.related.clone(),
                sampled_out,
                verdict,
                report,
                findings: Vec::new(),
                why,
            }
        })
        .collect()
}

fn judge(
    plan: PhasePlan<'_>,
    trace: &Trace,
    found: &Found,
    twin: Option<&Twin>,
    of_times: Verdict,
) -> (Verdict, Option<Report>, Option<&'static str>) {
    let check = |expectation: &Expectation| {
        let observed = Observed {
            trace,
            related: &found.related,
            arrival: found.arrival,
            twin,
        };
        expect::check_with(expectation, observed)
    };
    let own = plan.own.map(check);
    let own_verdict = own.as_ref().map_or(Verdict::Pass, |own| own.verdict);
    if !plan.phase.is_silent() || own_verdict == Verdict::Fail || of_times == Verdict::Fail {
        return (own_verdict, own, None);
    }
    let shown = check(&plan.scenario.expect);
    match shown.verdict.max(of_times) {
        Verdict::Fail => (own_verdict, own, None),
        Verdict::Pass => (Verdict::Fail, Some(shown), Some(NOT_SILENT)),
        Verdict::Unsupported => (Verdict::Unsupported, Some(shown), Some(NOT_KNOWN)),
    }
}
