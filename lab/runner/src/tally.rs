//! [`Tally`]: what is left of requests that were judged and forgotten: how many of each sort there were.

use std::collections::BTreeMap;

use diagnose::Rule;
use expect::Verdict;

use crate::case::{Case, Shown};

/// The requests that were judged and forgotten, counted by all that the verdict on the phase needs of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(BTreeMap<Sort, usize>);

/// All that the verdict on a phase needs of a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sort {
    verdict: Verdict,
    shown: Option<Shown>,
    /// Whether the scenario judges requests of this step.
    counts: bool,
    is_judged: bool,
    has_trace: bool,
    sampled_out: bool,
    /// The names of the findings on it, each once, in the order of their first finding.
    findings: Vec<&'static str>,
}

// === impl Tally ===

impl Tally {
    /// Counts a request.
    pub(crate) fn add(&mut self, case: &Case) {
        let mut findings: Vec<&'static str> = Vec::new();
        for finding in &case.findings {
            if !findings.contains(&finding.rule.name) {
                findings.push(finding.rule.name);
            }
        }
        let sort = Sort {
            verdict: case.verdict,
            shown: case.shown,
            counts: case.line.step.counts(),
            is_judged: case.is_judged(),
            has_trace: case.trace.is_some(),
            sampled_out: case.sampled_out,
            findings,
        };
        *self.0.entry(sort).or_default() += 1;
    }

    /// Gives the requests of a silent phase their verdicts by that on the times of the whole phase.
    pub(crate) fn judge_by_times(&mut self, of_times: Verdict) {
        self.change(|sort| {
            if let Some(shown) = sort.shown {
                sort.verdict = shown.verdict(of_times);
            }
        });
    }

    /// Fails the requests with a trace whose findings `is_wrong`.
    pub(crate) fn fail(&mut self, mut is_wrong: impl FnMut(&[&'static Rule]) -> bool) {
        self.change(|sort| {
            let rules = sort.findings.iter();
            let rules: Vec<_> = rules.filter_map(|name| diagnose::rule(name)).collect();
            if sort.is_judged && sort.has_trace && is_wrong(&rules) {
                sort.verdict = Verdict::Fail;
            }
        });
    }

    /// The worst verdict; `None` without requests.
    pub(crate) fn worst(&self) -> Option<Verdict> {
        self.0.keys().map(|sort| sort.verdict).max()
    }

    /// The number of requests.
    pub(crate) fn len(&self) -> usize {
        self.count(|_| true)
    }

    /// The number of requests that were judged.
    pub(crate) fn judged(&self) -> usize {
        self.count(|sort| sort.is_judged)
    }

    /// The number of requests that were judged, with this verdict.
    pub(crate) fn judged_with(&self, verdict: Verdict) -> usize {
        self.count(|sort| sort.is_judged && sort.verdict == verdict)
    }

    /// The number of requests that failed, judged or not.
    pub(crate) fn failed(&self) -> usize {
        self.count(|sort| sort.verdict == Verdict::Fail)
    }

    /// The number of judged requests that have a trace, and a finding with this name if one is given.
    pub(crate) fn with_trace(&self, finding: Option<&str>) -> usize {
        self.count(|sort| {
            let has = |name: &str| sort.findings.contains(&name);
            sort.is_judged && sort.has_trace && finding.is_none_or(has)
        })
    }

    /// The number of requests whose trace was sampled out.
    pub(crate) fn sampled_out(&self) -> usize {
        self.count(|sort| sort.sampled_out && sort.counts)
    }

    /// The number of judged requests with each finding.
    pub(crate) fn findings(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for (sort, times) in self.0.iter().filter(|(sort, _)| sort.is_judged) {
            for name in &sort.findings {
                *counts.entry(*name).or_default() += times;
            }
        }
        counts
    }

    fn count(&self, is_counted: impl Fn(&Sort) -> bool) -> usize {
        let sorts = self.0.iter().filter(|(sort, _)| is_counted(sort));
        sorts.map(|(_, times)| times).sum()
    }

    fn change(&mut self, mut change: impl FnMut(&mut Sort)) {
        for (mut sort, times) in std::mem::take(&mut self.0) {
            change(&mut sort);
            *self.0.entry(sort).or_default() += times;
        }
    }
}
