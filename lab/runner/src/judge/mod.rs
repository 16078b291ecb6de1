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
use loadgen::Line;
use trace::{Trace, milliseconds};

use crate::{
    case::Case,
    outcome::{Failure, Latencies, PhaseReport, PhaseRun, Requests},
    phase::Phase,
    phase_traces::PhaseTraces,
    plan::PhasePlan,
    tally::Tally,
    traces::Found,
};

pub(crate) use evidence::Evidence;
pub use findings::UnsupportedFinding;
pub(crate) use findings::needs_twin;
pub use latency::LatencyLine;
pub(crate) use latency::{Measured, lines as latency_lines};
pub(crate) use requests::RequestRules;

/// The highest number of failures in a report.
const TOLD: usize = 20;

/// Judges requests of a phase while it runs, and diagnoses their traces beside others of the same system. What
/// depends on the whole phase is left to [`judge`].
pub(crate) fn judge_batch(
    plan: PhasePlan<'_>,
    requests: &[(Line, Found)],
    beside: &[&Trace],
    rules: RequestRules<'_>,
) -> Vec<Case> {
    let judge = |(line, found): &(Line, Found)| requests::judge_request(plan, line, found, rules);
    let mut cases: Vec<Case> = requests.iter().map(judge).collect();
    findings::diagnose_cases(&mut cases, beside);
    cases
}

/// Judges a phase that was driven.
pub(crate) fn judge(plan: PhasePlan<'_>, driven: &PhaseTraces, evidence: Evidence<'_>) -> PhaseRun {
    let verdicts = evidence.latency.iter().map(|line| line.verdict);
    let rules = RequestRules {
        twin: evidence.twin,
        of_times: verdicts.max().unwrap_or(Verdict::Pass),
        sampling: evidence.sampling,
        why_missing: driven.why_missing.as_deref(),
    };
    let requests = driven.load.lines.iter().zip(&driven.found);
    let mut cases: Vec<Case> = requests
        .map(|(line, found)| requests::judge_request(plan, line, found, rules))
        .collect();
    // The first were diagnosed together with those that were forgotten.
    let (kept, last) = cases.split_at_mut(driven.digest.findings.len());
    for (case, findings) in kept.iter_mut().zip(&driven.digest.findings) {
        case.findings = findings.clone();
    }
    let of_kept = kept.iter().filter_map(|case| case.trace.as_deref());
    let beside: Vec<&Trace> = evidence
        .other_phases
        .iter()
        .flat_map(|driven| driven.judged())
        .filter_map(|(_, found)| found.trace.as_deref())
        .chain(of_kept)
        .collect();
    findings::diagnose_cases(last, &beside);
    drop(beside);
    let mut tally = driven.digest.tally.clone();
    tally.judge_by_times(rules.of_times);
    let findings::OfPhase { wrong, excused } =
        findings::judge(plan, &mut cases, &mut tally, &evidence);
    let wrong = wrong.or_else(|| share::wrong_share(plan, driven, evidence.sampling));
    let unsupported_findings = findings::unsupported(plan, evidence.conditions);
    let (verdict, why) = verdict(plan, driven, (&cases, &tally), &evidence, wrong);
    let judged = || cases.iter().filter(|case| case.is_judged());
    let with = |verdict| {
        judged().filter(|case| case.verdict == verdict).count() + tally.judged_with(verdict)
    };
    let progress = driven.load.progress;
    let failed = || cases.iter().filter(|case| case.verdict == Verdict::Fail);
    let findings = findings::counts(&cases, &tally).into_iter();
    let report = PhaseReport {
        name: plan.scenario.name.clone(),
        phase: plan.phase,
        verdict,
        traces: judged().count() + tally.judged(),
        passed: with(Verdict::Pass),
        failed: with(Verdict::Fail),
        unsupported: with(Verdict::Unsupported),
        sampled_out: count_sampled_out(&cases) + tally.sampled_out(),
        unexplained_spans: None,
        dropped_spans: driven.lost_spans,
        stalled: driven.stalled.filter(|_| excused),
        late_spans: driven.late_spans,
        waited_ms: (!driven.waited.is_zero()).then(|| milliseconds(driven.waited)),
        findings: findings
            .map(|(name, count)| (name.to_owned(), count))
            .collect(),
        unsupported_findings,
        latency_ms: driven.load.checkout.map(Latencies::of),
        requests: Requests {
            succeeded: progress.succeeded,
            refused: progress.refused,
            unanswered: progress.unanswered,
            never_started: progress.never_started,
        },
        why,
        failures: failed().take(TOLD).map(Failure::of).collect(),
        latency: evidence.latency,
    };
    let (began, ended) = driven.window();
    PhaseRun {
        report,
        failed: failed().count() + tally.failed(),
        forgotten: tally.len(),
        written: driven
            .digest
            .written
            .then_some(driven.digest.findings.len()),
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
        late_spans: 0,
        waited_ms: None,
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
        failed: 0,
        forgotten: 0,
        written: None,
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
    (cases, tally): (&[Case], &Tally),
    evidence: &Evidence<'_>,
    wrong: Option<String>,
) -> (Verdict, Option<String>) {
    let (mut verdict, mut why) = verdict_on_requests(cases, tally);
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
fn verdict_on_requests(cases: &[Case], tally: &Tally) -> (Verdict, Option<String>) {
    let worst = cases.iter().map(|case| case.verdict).max();
    let verdict = worst.max(tally.worst()).unwrap_or(Verdict::Fail);
    if cases.iter().any(Case::is_judged) || tally.judged() > 0 {
        return (verdict, None);
    }
    let sampled_out = count_sampled_out(cases) + tally.sampled_out();
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
