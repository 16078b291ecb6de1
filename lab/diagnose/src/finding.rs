//! A finding, and the rule that it comes from.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;
use serde_json::Value as Json;
use trace::SpanId;

use crate::{run::Run, thresholds::Thresholds, view::View};

/// An anti-pattern that was found on a trace, with its evidence.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule that found it.
    pub rule: &'static Rule,
    /// The spans that show it, the most telling first.
    pub spans: Vec<SpanId>,
    /// What it costs on the critical path: by how much the trace would be shorter without it, as far
    /// as the trace can tell. Zero where it costs no time.
    pub cost: Duration,
    /// What was seen, in a sentence.
    pub evidence: String,
    /// The numbers and words of that sentence, for machines.
    pub facts: BTreeMap<&'static str, Json>,
}

/// A rule: what is looked for, how bad it is, and what mends it.
pub struct Rule {
    /// The name of its findings.
    pub name: &'static str,
    /// How bad a finding of it is.
    pub severity: Severity,
    /// What a finding of it means, in a sentence.
    pub means: &'static str,
    /// What would mend it.
    pub remedy: &'static str,
    /// Where its thresholds come from.
    pub source: &'static str,
    /// How it looks.
    pub(crate) looks: Looks,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth to know.
    Info,
    /// Somebody waits longer than necessary, or the trace does not tell the truth.
    Warning,
    /// Somebody did not get what they asked for, or a secret is out.
    Critical,
}

/// What a rule needs to see.
pub(crate) enum Looks {
    /// One trace by itself.
    AtATrace(fn(&View<'_>, &Thresholds, &mut Vec<Finding>)),
    /// All traces together: it says on which of them it found something, by their place.
    AtTheRun(fn(&Run<'_>, &mut dyn FnMut(usize, Finding))),
}

// === impl Finding ===

impl Finding {
    /// A finding without numbers, that costs nothing.
    pub(crate) fn new(rule: &'static Rule, spans: Vec<SpanId>, evidence: String) -> Self {
        Finding {
            rule,
            spans,
            cost: Duration::ZERO,
            evidence,
            facts: BTreeMap::new(),
        }
    }

    /// What it costs, in nanoseconds.
    pub(crate) fn costs(mut self, nanoseconds: u64) -> Self {
        self.cost = Duration::from_nanos(nanoseconds);
        self
    }

    /// One more number or word.
    pub(crate) fn fact(mut self, name: &'static str, value: impl Into<Json>) -> Self {
        self.facts.insert(name, value.into());
        self
    }

    /// The page of the book that says more.
    pub fn docs(&self) -> String {
        format!("docs/src/findings.md#{}", self.rule.name)
    }
}

// === impl Rule ===

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Rule {}

// === impl Severity ===

impl Severity {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Nanoseconds as milliseconds, rounded to a microsecond.
pub(crate) fn ms(nanoseconds: u64) -> f64 {
    (nanoseconds as f64 / 1_000.0).round() / 1_000.0
}

/// Nanoseconds as a person writes them.
pub(crate) fn words(nanoseconds: u64) -> String {
    let ms = nanoseconds as f64 / 1e6;
    if ms >= 9_950.0 {
        format!("{:.1} s", ms / 1_000.0)
    } else if ms >= 99.5 {
        format!("{ms:.0} ms")
    } else if ms >= 0.1 {
        format!("{ms:.1} ms")
    } else {
        format!("{:.0} µs", ms * 1_000.0)
    }
}
