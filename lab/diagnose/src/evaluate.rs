//! How right the rules are: precision and recall over traces of which it is known what is wrong.

use std::{collections::BTreeMap, fmt::Write};

use serde::Serialize;
use trace::{Trace, TraceId};

use crate::{Thresholds, diagnose, format::plural, hash::HashSet, strip_lab_attributes};

/// A request with its traces, and what is known to be wrong with it.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// Where it comes from: `n-plus-one/faulty`.
    pub origin: String,
    /// Its trace, and those that belong to it.
    pub traces: Vec<Trace>,
    /// The findings that it must have.
    pub expected: Vec<String>,
    /// Findings that it may have or not: in a crowd, some requests do not show what is wrong.
    pub allowed: Vec<String>,
}

/// How right one rule is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// It was found, and was right.
    pub true_positives: usize,
    /// It was found, and was wrong.
    pub false_positives: usize,
    /// It should have been found, and was not.
    pub misses: usize,
}

/// One thing that the rules got wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mistake {
    /// The rule.
    pub rule: String,
    /// The trace.
    pub trace_id: String,
    /// Where the trace comes from.
    pub origin: String,
    /// What was seen, or that it was missed.
    pub what: String,
}

/// How right all rules are.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Evaluation {
    /// The number of requests.
    pub requests: usize,
    /// For each rule that was found or should have been.
    pub rules: BTreeMap<String, Score>,
    /// Every mistake.
    pub mistakes: Vec<Mistake>,
}

/// Holds what the rules find against what is known. Requests of one group were made in one run and are
/// diagnosed together; `beside` of a group are other traces of the same system. What the lab wrote into
/// the traces is taken out first.
pub fn evaluate(groups: &[(Vec<Labelled>, Vec<Trace>)], limits: &Thresholds) -> Evaluation {
    let mut evaluation = Evaluation::default();
    for (group, beside) in groups {
        // A batch belongs to several requests, and is diagnosed once.
        let mut seen = HashSet::default();
        let traces = group.iter().flat_map(|labelled| &labelled.traces);
        let stripped: Vec<Trace> = traces
            .filter(|trace| seen.insert(trace.id()))
            .map(strip_lab_attributes)
            .collect();
        let beside: Vec<Trace> = beside.iter().map(strip_lab_attributes).collect();
        let diagnoses = diagnose(&stripped, &beside, limits);
        let mut found: BTreeMap<TraceId, Vec<(&str, &str)>> = BTreeMap::new();
        for diagnosis in &diagnoses {
            let names = diagnosis
                .findings
                .iter()
                .map(|finding| (finding.rule.name, finding.evidence.as_str()));
            found.entry(diagnosis.trace.id()).or_default().extend(names);
        }
        for labelled in group {
            evaluation.add(labelled, &found);
        }
    }
    evaluation
}

// === impl Evaluation ===

impl Evaluation {
    fn add(&mut self, labelled: &Labelled, found: &BTreeMap<TraceId, Vec<(&str, &str)>>) {
        self.requests += 1;
        let Some(first) = labelled.traces.first() else {
            return;
        };
        let mistake = |rule: &str, what: String| Mistake {
            rule: rule.to_owned(),
            trace_id: first.id().to_string(),
            origin: labelled.origin.clone(),
            what,
        };
        let mut names: BTreeMap<&str, &str> = BTreeMap::new();
        for trace in &labelled.traces {
            names.extend(found.get(&trace.id()).into_iter().flatten().copied());
        }
        for expected in &labelled.expected {
            let score = self.rules.entry(expected.clone()).or_default();
            if names.contains_key(expected.as_str()) {
                score.true_positives += 1;
            } else {
                score.misses += 1;
                self.mistakes.push(mistake(expected, "missed".to_owned()));
            }
        }
        for (name, evidence) in names {
            let known = |list: &[String]| list.iter().any(|known| known == name);
            if known(&labelled.expected) {
                continue;
            }
            let score = self.rules.entry(name.to_owned()).or_default();
            if known(&labelled.allowed) {
                score.true_positives += 1;
            } else {
                score.false_positives += 1;
                self.mistakes.push(mistake(name, evidence.to_owned()));
            }
        }
    }

    /// Whether nothing was wrong.
    pub fn is_perfect(&self) -> bool {
        self.mistakes.is_empty()
    }
}

// === impl Score ===

impl Score {
    /// The share of what was found that was right; `None` if nothing was found.
    pub fn precision(&self) -> Option<f64> {
        let found = self.true_positives + self.false_positives;
        (found > 0).then(|| self.true_positives as f64 / found as f64)
    }

    /// The share of what should have been found that was; `None` if nothing should have been.
    pub fn recall(&self) -> Option<f64> {
        let so = self.true_positives + self.misses;
        (so > 0).then(|| self.true_positives as f64 / so as f64)
    }
}

/// An evaluation for people.
pub fn text(evaluation: &Evaluation) -> String {
    let mut text = format!(
        "{:<20} {:>9} {:>7} {:>6} {:>6} {:>6}\n",
        "rule", "precision", "recall", "right", "wrong", "missed"
    );
    let share =
        |share: Option<f64>| share.map_or_else(|| "—".to_owned(), |share| format!("{share:.3}"));
    for (rule, score) in &evaluation.rules {
        let _ = writeln!(
            text,
            "{rule:<20} {:>9} {:>7} {:>6} {:>6} {:>6}",
            share(score.precision()),
            share(score.recall()),
            score.true_positives,
            score.false_positives,
            score.misses
        );
    }
    for mistake in &evaluation.mistakes {
        let _ = writeln!(
            text,
            "{} {} {}: {}",
            mistake.origin, mistake.trace_id, mistake.rule, mistake.what
        );
    }
    let _ = writeln!(
        text,
        "{}, {}, {}",
        plural(evaluation.requests, "request"),
        plural(evaluation.rules.len(), "rule"),
        plural(evaluation.mistakes.len(), "mistake")
    );
    text
}
