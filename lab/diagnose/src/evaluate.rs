//! Evaluates the rules: precision and recall over labelled traces.

use std::{collections::BTreeMap, fmt::Write};

use plain::Plain;
use serde::Serialize;
use trace::{Trace, TraceId};

use crate::{Thresholds, diagnose, format::plural, hash::HashSet, strip_lab_attributes};

/// A request with its traces and its labels.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// The source of the request: `n-plus-one/faulty`.
    pub origin: String,
    /// Its trace, and the traces that belong to it.
    pub traces: Vec<Trace>,
    /// The findings that must be reported.
    pub expected: Vec<String>,
    /// The findings that may be reported: under load, some requests do not show the fault.
    pub allowed: Vec<String>,
}

/// The score of one rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// The number of correct findings.
    pub true_positives: usize,
    /// The number of wrong findings.
    pub false_positives: usize,
    /// The number of missing findings.
    pub misses: usize,
}

/// A wrong or missing finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mistake {
    /// The rule.
    pub rule: String,
    /// The trace.
    pub trace_id: String,
    /// The source of the trace.
    pub origin: String,
    /// The evidence of the wrong finding, or the statement that the finding was missed.
    pub what: String,
}

/// The scores of all rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Evaluation {
    /// The number of requests.
    pub requests: usize,
    /// The score of each rule that was reported or expected.
    pub rules: BTreeMap<String, Score>,
    /// Every mistake.
    pub mistakes: Vec<Mistake>,
}

/// Compares the findings with the labels. Requests of one group were made in one run and are diagnosed
/// together; the second part of a group has other traces of the same system. The lab's own attributes and
/// events are removed from the traces first.
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

    /// Whether there were no mistakes.
    pub fn is_perfect(&self) -> bool {
        self.mistakes.is_empty()
    }
}

// === impl Score ===

impl Score {
    /// The share of the findings that were correct; `None` without findings.
    pub fn precision(&self) -> Option<f64> {
        let found = self.true_positives + self.false_positives;
        (found > 0).then(|| self.true_positives as f64 / found as f64)
    }

    /// The share of the expected findings that were reported; `None` if none was expected.
    pub fn recall(&self) -> Option<f64> {
        let so = self.true_positives + self.misses;
        (so > 0).then(|| self.true_positives as f64 / so as f64)
    }
}

/// Renders an evaluation as text.
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
            "{:<20} {:>9} {:>7} {:>6} {:>6} {:>6}",
            Plain(rule),
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
            Plain(&mistake.origin),
            mistake.trace_id,
            Plain(&mistake.rule),
            Plain(&mistake.what)
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
