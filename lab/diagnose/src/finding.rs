//! A finding, and the rule that it comes from.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;
use serde_json::Value as Json;
use trace::SpanId;

use crate::{
    facts::{run::RunFacts, view::View},
    thresholds::{Threshold, Thresholds},
};

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
    /// Which of its spans another finding must reach to explain it.
    pub(crate) explained_at: ExplainedAt,
    /// Whether it stands for its own spans alone: then it neither explains nor is explained by what is
    /// elsewhere in the request.
    pub(crate) is_local: bool,
}

/// Which spans of a finding another finding must reach to explain it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExplainedAt {
    /// Any of them.
    AnySpan,
    /// The first: the others only passed on what the first began.
    FirstSpan,
}

/// A rule of the diagnosis: what it detects, how bad that is, and what mends it.
///
/// Each rule is declared in a file of its own in `rules`, and listed in [the catalogue](crate::catalogue).
pub struct Rule {
    /// The name of its findings. No two rules share one.
    pub name: &'static str,
    /// How bad a finding of it is.
    pub severity: Severity,
    /// What a finding of it means, in a sentence without a full stop.
    pub summary: &'static str,
    /// What would mend it, in a sentence without a full stop.
    pub remedy: &'static str,
    /// The limits that it goes by, each with its source. Empty where a rule needs no number.
    pub thresholds: &'static [Threshold],
    /// Where the rule comes from, in a sentence without a full stop.
    pub source: &'static str,
    /// Whether such findings also come of the load: of more users, of less simulated time, or of a
    /// machine that is busy with something else. They are true of the requests that have them, and say
    /// nothing of a fault on their own.
    pub of_the_load: bool,
    /// Whether the rule needs complete traces of the same system beside those that it judges: a trace of
    /// which a part was not kept does not tell that there is such a part.
    pub needs_complete_traces: bool,
    /// The weaker findings that a finding of this rule explains. They are not reported beside it.
    pub explains: Explains,
    /// What the rule needs to see, and how it detects.
    pub(crate) scope: Scope,
}

/// The weaker findings that a finding explains.
#[derive(Clone, Copy)]
pub struct Explains {
    /// Those that have a span in common with it, or with what lies below it.
    pub nearby: &'static [&'static Rule],
    /// Those that are anywhere in the same request: they say how all of it went.
    pub in_request: &'static [&'static Rule],
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth to know.
    Info,
    /// A user waits longer than necessary, or the trace does not tell the truth.
    Warning,
    /// A user did not get what they asked for, or a secret is out.
    Critical,
}

/// What a rule needs to see, with the function that detects its findings.
pub(crate) enum Scope {
    /// One trace by itself.
    Trace(fn(&View<'_>, &Thresholds, &mut Vec<Finding>)),
    /// All traces of a run together. A finding is reported with the place of its trace.
    Run(fn(&RunFacts<'_>, &mut dyn FnMut(usize, Finding))),
}

// === impl Finding ===

impl Finding {
    /// A finding without facts that costs nothing.
    pub(crate) fn new(rule: &'static Rule, spans: Vec<SpanId>, evidence: String) -> Self {
        Finding {
            rule,
            spans,
            cost: Duration::ZERO,
            evidence,
            facts: BTreeMap::new(),
            explained_at: ExplainedAt::AnySpan,
            is_local: false,
        }
    }

    /// Sets what it costs, in nanoseconds.
    pub(crate) fn costs(mut self, nanoseconds: u64) -> Self {
        self.cost = Duration::from_nanos(nanoseconds);
        self
    }

    /// Adds a number or a word.
    pub(crate) fn fact(mut self, name: &'static str, value: impl Into<Json>) -> Self {
        self.facts.insert(name, value.into());
        self
    }

    /// Says that only what explains its first span explains it.
    pub(crate) fn explained_at_first_span(mut self) -> Self {
        self.explained_at = ExplainedAt::FirstSpan;
        self
    }

    /// Says that it stands for its own spans alone, if `is_local`.
    pub(crate) fn local(mut self, is_local: bool) -> Self {
        self.is_local = is_local;
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

// === impl Explains ===

impl Explains {
    /// Explains no other finding.
    pub(crate) const NOTHING: Explains = Explains::nearby(&[]);

    /// Explains findings of these rules that are near it, and none elsewhere in the request.
    pub(crate) const fn nearby(nearby: &'static [&'static Rule]) -> Explains {
        Explains {
            nearby,
            in_request: &[],
        }
    }
}

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
