//! Gives the verdict on a phase: on each request, on the findings, on the times.

mod evidence;
pub(crate) mod findings;
pub(crate) mod latency;
mod requests;
mod share;
mod unsupported;

use std::collections::BTreeMap;

use diagnose::plural;
use expect::Verdict;

use crate::{
    case::Case,
    drive::PhaseTraces,
    outcome::{Failure, Latencies, PhaseReport, PhaseRun, Requests},
    phase::Phase,
    plan::PhasePlan,
};

pub(crate) use evidence::Evidence;
pub use findings::UnsupportedFinding;
pub(crate) use findings::needs_twin;
pub use latency::LatencyLine;
pub(crate) use latency::{Measured, lines as latency_lines};

/// The highest number of failures in a report.
const TOLD: usize = 20;

/// Judges a phase that was driven.
pub(crate) fn judge(plan: PhasePlan<'_>, driven: &PhaseTraces, evidence: Evidence<'_>) -> PhaseRun {
    let Evidence {
        conditions,
        sampling,
        latency,
        ..
    } = &evidence;
    let mut cases = requests::judge_all(plan, driven, evidence.twin, latency, *sampling);
    let findings::OfPhase { wrong, excused } = findings::judge(plan, &mut cases, &evidence);
    let wrong = wrong.or_else(|| share::wrong_share(plan, driven, *sampling));
    let unsupported_findings = findings::unsupported(plan, *conditions);
    let (verdict, why) = verdict(plan, driven, &cases, &evidence, wrong);
    let judged = || cases.iter().filter(|case| case.is_judged());
    let with = |verdict| judged().filter(|case| case.verdict == verdict).count();
    let progress = driven.load.progress;
    let failed = cases.iter().filter(|case| case.verdict == Verdict::Fail);
    let report = PhaseReport {
        name: plan.scenario.name.clone(),
        phase: plan.phase,
        verdict,
        traces: judged().count(),
        passed: with(Verdict::Pass),
        failed: with(Verdict::Fail),
        unsupported: with(Verdict::Unsupported),
        sampled_out: count_sampled_out(&cases),
        unexplained_spans: None,
        dropped_spans: driven.lost_spans,
        stalled: driven.stalled.filter(|_| excused),
        findings: findings::counts(&cases),
        unsupported_findings,
        latency_ms: driven.load.checkout.map(Latencies::of),
        requests: Requests {
            succeeded: progress.succeeded,
            refused: progress.refused,
            unanswered: progress.unanswered,
            never_started: progress.never_started,
        },
        why,
        failures: failed.take(TOLD).map(Failure::of).collect(),
        latency: evidence.latency,
    };
    let (began, ended) = driven.window();
    PhaseRun {
        report,
        cases,
        unexplained: Vec::new(),
        window: (began.0, ended.0),
    }
}

/// The outcome of a phase that could not be run.
pub(crate) fn not_run(plan: PhasePlan<'_>, reason: &str) -> PhaseRun {
    let report = PhaseReport {
        name: plan.scenario.name.clone(),
        phase: plan.phase,
        verdict: Verdict::Unsupported,
        traces: 0,
        passed: 0,
        failed: 0,
        unsupported: 0,
        sampled_out: 0,
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

/// Fails a phase with traces that belong to no request. It is called after all such traces were found.
pub(crate) fn judge_unexplained(run: &mut PhaseRun) {
    let spans = run.unexplained.iter().map(|trace| trace.spans).sum();
    run.report.unexplained_spans = Some(spans);
    if spans > 0 {
        if run.report.verdict == Verdict::Unsupported {
            // `why` says why the phase was not judged. That is no reason for the failure.
            run.report.why = None;
        }
        run.report.verdict = Verdict::Fail;
    }
}

/// The verdict on a phase, and the reason if it concerns the phase as a whole. `wrong` is what is wrong with
/// the findings or the sampled share of the phase.
fn verdict(
    plan: PhasePlan<'_>,
    driven: &PhaseTraces,
    cases: &[Case],
    evidence: &Evidence<'_>,
    wrong: Option<String>,
) -> (Verdict, Option<String>) {
    let (mut verdict, mut why) = verdict_on_requests(cases);
    if driven.lost_spans > 0 {
        verdict = Verdict::Fail;
    }
    if plan.phase == Phase::Faulty {
        let times = evidence.latency.iter().map(|line| line.verdict).max();
        verdict = verdict.max(times.unwrap_or(Verdict::Pass));
    }
    if !findings::unsupported(plan, evidence.conditions).is_empty() {
        verdict = verdict.max(Verdict::Unsupported);
    }
    if wrong.is_some() {
        return (Verdict::Fail, why.or(wrong));
    }
    if verdict == Verdict::Unsupported && why.is_none() {
        why = unsupported::wants_that_lack(plan, evidence.conditions)
            .or_else(|| latency::not_judged(&evidence.latency));
    }
    (verdict, why)
}

/// The worst verdict on a request, if at least one request can be judged.
fn verdict_on_requests(cases: &[Case]) -> (Verdict, Option<String>) {
    let worst = cases.iter().map(|case| case.verdict).max();
    let verdict = worst.unwrap_or(Verdict::Fail);
    if cases.iter().any(Case::is_judged) {
        return (verdict, None);
    }
    let sampled_out = count_sampled_out(cases);
    if sampled_out == 0 || verdict == Verdict::Fail {
        // A run in which no request was judged has proven nothing.
        return (Verdict::Fail, Some("no request of it was made".to_owned()));
    }
    let traces = plural(sampled_out, "trace");
    let why = format!("none of its {traces} was kept: there is nothing to judge");
    (Verdict::Unsupported, Some(why))
}

fn count_sampled_out(cases: &[Case]) -> usize {
    cases
        .iter()
        .filter(|case| case.sampled_out && case.line.step.counts())
        .count()
}
