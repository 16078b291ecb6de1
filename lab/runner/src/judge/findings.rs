//! Compares the findings of the diagnosis with what the scenario wants.

use std::collections::{BTreeMap, HashMap, HashSet};

use diagnose::{Finding, THRESHOLDS, diagnose, plural};
use expect::Verdict;
use scenario::FindingWant;
use serde::Serialize;
use trace::{Trace, TraceId};

use super::evidence::Evidence;
use crate::{
    case::Case, conditions::Conditions, drive::PhaseTraces, phase::Phase, plan::PhasePlan,
};

/// Whether a scenario can only be judged with its twin, whose traces are complete.
pub(crate) fn needs_twin(wants: Option<&[FindingWant]>) -> bool {
    let mut wants = wants.unwrap_or_default().iter();
    wants.any(|want| want.rule.needs_complete_traces)
}

/// A wanted finding that cannot be judged where the scenario is run.
#[derive(Clone, Debug, Serialize)]
pub struct UnsupportedFinding {
    /// The name of the finding.
    pub name: &'static str,
    /// Why it was not judged.
    pub why: String,
}

/// The wanted findings that cannot be judged under these conditions.
pub(crate) fn unsupported(plan: PhasePlan<'_>, conditions: Conditions) -> Vec<UnsupportedFinding> {
    let wants = plan.findings().unwrap_or_default().iter();
    let lacking = wants.filter_map(|want| {
        Some(UnsupportedFinding {
            name: want.rule.name,
            why: conditions.lacks(&want.needs)?,
        })
    });
    lacking.collect()
}

/// The verdict of the findings on a phase as a whole.
pub(crate) struct OfPhase {
    /// What is wrong with the phase.
    pub(crate) wrong: Option<String>,
    /// Whether a case would have failed if the machine had not stood still.
    pub(crate) excused: bool,
}

/// Diagnoses the traces of a phase, and fails the cases that are not as the scenario says.
pub(crate) fn judge(plan: PhasePlan<'_>, cases: &mut [Case], evidence: &Evidence<'_>) -> OfPhase {
    let found = findings(cases, evidence.other_phases);
    for case in cases.iter_mut().filter(|case| case.is_judged()) {
        case.findings = found_on(case, &found);
    }
    let everywhere = most_have(cases);
    let counts_at_rest = |finding: &&Finding| {
        // A finding of the load is explained by the scenario only if most requests of a phase have it and the
        // phase runs as its scenario says.
        let is_everywhere = evidence.as_written && everywhere.contains(finding.rule.name);
        !finding.rule.of_the_load || is_everywhere
    };
    let counts = |finding: &&Finding| {
        let is_excused = evidence.stalled && finding.rule.of_the_load;
        !is_excused && counts_at_rest(finding)
    };
    let judged = || {
        cases
            .iter()
            .filter(|case| case.is_judged() && case.trace.is_some())
    };
    let traces = judged().count();
    let of_scenario = plan.scenario.findings.as_deref();
    let wants = plan.findings();
    // A finding whose needs are not met may be reported or not.
    let can_be_judged = |want: &&FindingWant| evidence.conditions.lacks(&want.needs).is_none();
    let must_be_there: Vec<&FindingWant> = wants
        .unwrap_or_default()
        .iter()
        .filter(can_be_judged)
        .collect();
    let mut wrong = None;
    for want in &must_be_there {
        let Some(share) = want.share else { continue };
        let with = judged().filter(|case| case.has(want.rule.name)).count();
        let got = with as f64 / traces.max(1) as f64;
        if traces > 0 && !(share.min..=share.max).contains(&got) {
            wrong = Some(format!(
                "{with} of {} {} the finding {}, and at least {:.0} % should",
                plural(traces, "trace"),
                if traces == 1 { "has" } else { "have" },
                want.rule.name,
                share.min * 100.0
            ));
        }
    }
    // The findings of a case that should not be there.
    let too_much = |case: &Case, counts: &dyn Fn(&&Finding) -> bool| match plan.phase {
        Phase::Faulty => wants.and_then(|wants| besides(case, wants, counts)),
        Phase::Twin | Phase::NearMiss => {
            not_silent(case, of_scenario.unwrap_or_default(), wants, counts)
        }
    };
    let excused = evidence.stalled
        && judged().any(|case| {
            too_much(case, &counts).is_none() && too_much(case, &counts_at_rest).is_some()
        });
    for case in cases
        .iter_mut()
        .filter(|case| case.is_judged() && case.trace.is_some())
    {
        let why = match plan.phase {
            Phase::Faulty => lacking(case, &must_be_there).or_else(|| too_much(case, &counts)),
            Phase::Twin | Phase::NearMiss => {
                too_much(case, &counts).or_else(|| lacking(case, &must_be_there))
            }
        };
        if case.verdict != Verdict::Fail && why.is_some() {
            case.verdict = Verdict::Fail;
            case.why = why;
        }
    }
    OfPhase { wrong, excused }
}

/// The findings that most judged requests have.
fn most_have(cases: &[Case]) -> HashSet<&'static str> {
    let judged = || cases.iter().filter(|case| case.is_judged());
    let names: HashSet<&'static str> = judged()
        .flat_map(|case| &case.findings)
        .map(|finding| finding.rule.name)
        .collect();
    let most = |name: &&str| {
        let with = judged().filter(|case| case.has(name)).count();
        2 * with > judged().count()
    };
    names.into_iter().filter(most).collect()
}

/// The number of judged traces on which each finding was reported.
pub(crate) fn counts(cases: &[Case]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for case in cases.iter().filter(|case| case.is_judged()) {
        let names: HashSet<&str> = case
            .findings
            .iter()
            .map(|finding| finding.rule.name)
            .collect();
        for name in names {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    counts
}

/// Diagnoses each trace once: a batch may belong to several requests.
fn findings(cases: &[Case], beside: &[&PhaseTraces]) -> HashMap<TraceId, Vec<Finding>> {
    let mut seen = HashSet::new();
    let mut traces: Vec<Trace> = Vec::new();
    for case in cases.iter().filter(|case| case.is_judged()) {
        let all = case.trace.iter().map(|trace| &**trace).chain(&case.related);
        traces.extend(all.filter(|trace| seen.insert(trace.id())).cloned());
    }
    let beside: Vec<Trace> = beside
        .iter()
        .flat_map(|driven| driven.judged())
        .filter_map(|(_, found)| found.trace.as_deref().cloned())
        .collect();
    diagnose(&traces, &beside, &THRESHOLDS)
        .into_iter()
        .map(|diagnosis| (diagnosis.trace.id(), diagnosis.findings))
        .collect()
}

fn found_on(case: &Case, found: &HashMap<TraceId, Vec<Finding>>) -> Vec<Finding> {
    let all = case.trace.iter().map(|trace| &**trace).chain(&case.related);
    all.flat_map(|trace| found.get(&trace.id()).cloned().unwrap_or_default())
        .collect()
}

fn besides(
    case: &Case,
    wants: &[FindingWant],
    counts: impl Fn(&&Finding) -> bool,
) -> Option<String> {
    let other = case
        .findings
        .iter()
        .filter(counts)
        .find(|finding| wants.iter().all(|want| want.rule != finding.rule))?;
    Some(format!(
        "the diagnosis reports {} besides: {}",
        other.rule.name, other.evidence
    ))
}

fn lacking(case: &Case, wants: &[&FindingWant]) -> Option<String> {
    let mut missed = wants
        .iter()
        .filter(|want| want.share.is_none() && !case.has(want.rule.name));
    let want = missed.next()?;
    let mut names: Vec<&str> = case
        .findings
        .iter()
        .map(|finding| finding.rule.name)
        .collect();
    names.dedup();
    let got = match names.as_slice() {
        [] => "nothing".to_owned(),
        names => names.join(", "),
    };
    Some(format!(
        "the diagnosis should report {}, and reports {got}",
        want.rule.name
    ))
}

fn not_silent(
    case: &Case,
    of_scenario: &[FindingWant],
    own: Option<&[FindingWant]>,
    counts: impl Fn(&&Finding) -> bool,
) -> Option<String> {
    let has = |wants: &[FindingWant], finding: &Finding| {
        wants.iter().any(|want| want.rule == finding.rule)
    };
    // What the scenario says about this phase has priority.
    let finding = case
        .findings
        .iter()
        .filter(counts)
        .find(|finding| has(of_scenario, finding) && !has(own.unwrap_or_default(), finding))?;
    Some(format!(
        "the diagnosis reports {}, which is the finding of the fault: {}",
        finding.rule.name, finding.evidence
    ))
}
