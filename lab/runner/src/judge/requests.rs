//! Gives the verdict on every request of a phase.

use collector::Sampling;
use expect::{Observed, Report, Twin, Verdict};
use loadgen::Line;
use scenario::Expectation;
use trace::Trace;

use crate::{
    case::{Case, Shown},
    plan::PhasePlan,
    sampled_out::may_be_missing,
    traces::Found,
};

const NO_TRACE: &str = "its trace never came";
const EVICTED: &str =
    "its trace was evicted before it was read: the sink had no room for it and those after it";
const NOT_SAMPLED: &str = "its service said that it is not sampled, and it came all the same";
const NOT_SILENT: &str =
    "all that the scenario expects of the faulty trace is so, and there should be no sign of it";
const NOT_KNOWN: &str = "whether it looks as the faulty trace does cannot be known";

/// What the requests of a phase are judged by, besides their own traces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestRules<'a> {
    pub(crate) twin: Option<&'a Twin>,
    /// The verdict on the times of the whole phase. If they belong to the expectation, all of them must hold
    /// too.
    pub(crate) of_times: Verdict,
    pub(crate) sampling: Option<Sampling>,
    /// Why the traces that did not come are missing, where that can be known.
    pub(crate) why_missing: Option<&'a str>,
}

/// Judges a request of a phase.
pub(super) fn judge_request(
    plan: PhasePlan<'_>,
    line: &Line,
    found: &Found,
    rules: RequestRules<'_>,
) -> Case {
    let judged = line.step.counts();
    let sampled_out = found.trace.is_none()
        && line.started.is_some()
        && !found.is_evicted
        && may_be_missing(plan, line, rules.sampling);
    let mut shown = None;
    let (verdict, report, why) = match &found.trace {
        None if sampled_out => (Verdict::Pass, None, None),
        Some(_) if line.unsampled => (Verdict::Fail, None, Some(NOT_SAMPLED)),
        // The request was never sent, so it has no trace.
        None if line.started.is_none() => (Verdict::Pass, None, None),
        None if found.is_evicted => (Verdict::Fail, None, Some(EVICTED)),
        None => (Verdict::Fail, None, Some(NO_TRACE)),
        Some(_) if !judged => (Verdict::Pass, None, None),
        Some(trace) => judge(plan, trace, found, rules, &mut shown),
    };
    let why = match (why, rules.why_missing) {
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
        shown,
        arrival: found.arrival,
        is_evicted: found.is_evicted,
    }
}

fn judge(
    plan: PhasePlan<'_>,
    trace: &Trace,
    found: &Found,
    rules: RequestRules<'_>,
    seen: &mut Option<Shown>,
) -> (Verdict, Option<Report>, Option<&'static str>) {
    let check = |expectation: &Expectation| {
        let observed = Observed {
            trace,
            related: &found.related,
            arrival: found.arrival,
            twin: rules.twin,
        };
        expect::check_with(expectation, observed)
    };
    let own = plan.own.map(check);
    let own_verdict = own.as_ref().map_or(Verdict::Pass, |own| own.verdict);
    if !plan.phase.is_silent() || own_verdict == Verdict::Fail || rules.of_times == Verdict::Fail {
        return (own_verdict, own, None);
    }
    let shown = check(&plan.scenario.expect);
    let verdicts = Shown {
        own: own_verdict,
        shown: shown.verdict,
    };
    *seen = Some(verdicts);
    match (verdicts.verdict(rules.of_times), shown.verdict) {
        (_, Verdict::Fail) => (own_verdict, own, None),
        (Verdict::Fail, _) => (Verdict::Fail, Some(shown), Some(NOT_SILENT)),
        (verdict, _) => (verdict, Some(shown), Some(NOT_KNOWN)),
    }
}
