//! Compares the findings of the diagnosis with what the scenario wants.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use diagnose::{Finding, Rule, THRESHOLDS, diagnose, plural};
use expect::Verdict;
use scenario::FindingWant;
use serde::Serialize;
use trace::{Trace, TraceId};

use super::evidence::Evidence;
use crate::{case::Case, conditions::Conditions, phase::Phase, plan::PhasePlan, tally::Tally};

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

/// What the findings on a phase are compared with.
struct Wants<'a> {
    plan: PhasePlan<'a>,
    of_scenario: &'a [FindingWant],
    /// The wanted findings that can be judged here.
    must_be_there: Vec<&'a FindingWant>,
    /// The findings that most judged requests have.
    everywhere: BTreeSet<&'static str>,
    as_written: bool,
    stalled: bool,
}

/// A finding that should not be on a trace, or should.
enum Wrong {
    Besides(&'static Rule),
    OfTheFault(&'static Rule),
    Lacking(&'static Rule),
}

/// Judges the findings on the cases of a phase, and on those that were judged before and forgotten; fails
/// those that are not as the scenario says.
pub(crate) fn judge(
    plan: PhasePlan<'_>,
    cases: &mut [Case],
    tally: &mut Tally,
    evidence: &Evidence<'_>,
) -> OfPhase {
    let counts = counts(cases, tally);
    let traces = cases.iter().filter(|case| case.is_judged()).count() + tally.judged();
    let wants = plan.findings();
    // A finding whose needs are not met may be reported or not.
    let can_be_judged = |want: &&FindingWant| evidence.conditions.lacks(&want.needs).is_none();
    let wants = Wants {
        plan,
        of_scenario: plan.scenario.findings.as_deref().unwrap_or_default(),
        must_be_there: wants
            .unwrap_or_default()
            .iter()
            .filter(can_be_judged)
            .collect(),
        everywhere: counts
            .iter()
            .filter(|(_, with)| 2 * **with > traces)
            .map(|(name, _)| *name)
            .collect(),
        as_written: evidence.as_written,
        stalled: evidence.stalled,
    };
    let wrong = wants.wrong_share(cases, tally);
    let rules = |case: &Case| -> Vec<&'static Rule> {
        case.findings.iter().map(|finding| finding.rule).collect()
    };
    let has_trace = |case: &&mut Case| case.is_judged() && case.trace.is_some();
    let mut excused = false;
    for case in cases.iter_mut().filter(has_trace) {
        let rules = rules(case);
        excused |= wants.is_excused(&rules);
        if case.verdict != Verdict::Fail
            && let Some(wrong) = wants.wrong(&rules)
        {
            case.verdict = Verdict::Fail;
            case.why = Some(wrong.on(case));
        }
    }
    tally.fail(|rules| {
        excused |= wants.is_excused(rules);
        wants.wrong(rules).is_some()
    });
    OfPhase { wrong, excused }
}

// === impl Wants ===

impl Wants<'_> {
    /// The wanted share of the traces that have a finding, if it is missed.
    fn wrong_share(&self, cases: &[Case], tally: &Tally) -> Option<String> {
        let judged = || {
            cases
                .iter()
                .filter(|case| case.is_judged() && case.trace.is_some())
        };
        let traces = judged().count() + tally.with_trace(None);
        let mut wrong = None;
        for want in &self.must_be_there {
            let Some(share) = want.share else { continue };
            let here = judged().filter(|case| case.has(want.rule.name)).count();
            let with = here + tally.with_trace(Some(want.rule.name));
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
        wrong
    }

    /// What is wrong with the findings on a trace.
    fn wrong(&self, rules: &[&'static Rule]) -> Option<Wrong> {
        let too_much = || self.too_much(rules, &|rule| self.counts(rule));
        match self.plan.phase {
            Phase::Faulty => self.lacking(rules).or_else(too_much),
            Phase::Twin | Phase::NearMiss => too_much().or_else(|| self.lacking(rules)),
        }
    }

    /// Whether a trace would fail if the machine had not stood still.
    fn is_excused(&self, rules: &[&'static Rule]) -> bool {
        self.stalled
            && self.too_much(rules, &|rule| self.counts(rule)).is_none()
            && self
                .too_much(rules, &|rule| self.counts_at_rest(rule))
                .is_some()
    }

    fn counts(&self, rule: &Rule) -> bool {
        let is_excused = self.stalled && rule.of_the_load;
        !is_excused && self.counts_at_rest(rule)
    }

    /// Whether a finding counts on a machine at rest. A finding of the load is explained by the scenario only
    /// if most requests of a phase have it and the phase runs as its scenario says.
    fn counts_at_rest(&self, rule: &Rule) -> bool {
        let is_everywhere = self.as_written && self.everywhere.contains(rule.name);
        !rule.of_the_load || is_everywhere
    }

    /// A finding that should not be there.
    fn too_much(&self, rules: &[&'static Rule], counts: &dyn Fn(&Rule) -> bool) -> Option<Wrong> {
        let has = |wants: &[FindingWant], rule: &Rule| wants.iter().any(|want| want.rule == rule);
        let own = self.plan.findings();
        let mut rules = rules.iter().copied().filter(|rule| counts(rule));
        match self.plan.phase {
            Phase::Faulty => {
                let wants = own?;
                rules.find(|rule| !has(wants, rule)).map(Wrong::Besides)
            }
            // What the scenario says about this phase has priority.
            Phase::Twin | Phase::NearMiss => rules
                .find(|rule| has(self.of_scenario, rule) && !has(own.unwrap_or_default(), rule))
                .map(Wrong::OfTheFault),
        }
    }

    fn lacking(&self, rules: &[&'static Rule]) -> Option<Wrong> {
        let mut missed = self
            .must_be_there
            .iter()
            .filter(|want| want.share.is_none() && !rules.contains(&want.rule));
        missed.next().map(|want| Wrong::Lacking(want.rule))
    }
}

// === impl Wrong ===

impl Wrong {
    /// Describes what is wrong with the findings on a case.
    fn on(&self, case: &Case) -> String {
        let evidence = |rule: &Rule| {
            let finding = case.findings.iter().find(|finding| finding.rule == rule);
            finding.map_or("", |finding| &finding.evidence)
        };
        match self {
            Wrong::Besides(rule) => format!(
                "the diagnosis reports {} besides: {}",
                rule.name,
                evidence(rule)
            ),
            Wrong::OfTheFault(rule) => format!(
                "the diagnosis reports {}, which is the finding of the fault: {}",
                rule.name,
                evidence(rule)
            ),
            Wrong::Lacking(rule) => {
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
                format!(
                    "the diagnosis should report {}, and reports {got}",
                    rule.name
                )
            }
        }
    }
}

/// The number of judged traces on which each finding was reported.
pub(crate) fn counts(cases: &[Case], tally: &Tally) -> BTreeMap<&'static str, usize> {
    let mut counts = tally.findings();
    for case in cases.iter().filter(|case| case.is_judged()) {
        let names: BTreeSet<&str> = case
            .findings
            .iter()
            .map(|finding| finding.rule.name)
            .collect();
        for name in names {
            *counts.entry(name).or_default() += 1;
        }
    }
    counts
}

/// Diagnoses the traces of these cases, each trace once: a batch may belong to several requests. `beside` are
/// other traces of the same system.
pub(crate) fn diagnose_cases(cases: &mut [Case], beside: &[&Trace]) {
    let mut seen = HashSet::new();
    let mut traces: Vec<&Trace> = Vec::new();
    for case in cases.iter().filter(|case| case.is_judged()) {
        let all = case.trace.iter().map(|trace| &**trace).chain(&case.related);
        traces.extend(all.filter(|trace| seen.insert(trace.id())));
    }
    let found: HashMap<TraceId, Vec<Finding>> = diagnose(&traces, beside, &THRESHOLDS)
        .into_iter()
        .map(|diagnosis| (diagnosis.trace.id(), diagnosis.findings))
        .collect();
    for case in cases.iter_mut().filter(|case| case.is_judged()) {
        case.findings = found_on(case, &found);
    }
}

fn found_on(case: &Case, found: &HashMap<TraceId, Vec<Finding>>) -> Vec<Finding> {
    let all = case.trace.iter().map(|trace| &**trace).chain(&case.related);
    all.flat_map(|trace| found.get(&trace.id()).cloned().unwrap_or_default())
        .collect()
}
