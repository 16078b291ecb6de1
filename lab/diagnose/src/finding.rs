//! [`Finding`] and [`Rule`]: a finding, and the rule that reports it.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;
use serde_json::Value as Json;
use trace::SpanId;

use crate::{
    facts::{run::RunFacts, view::View},
    thresholds::{Threshold, Thresholds},
};

/// The share of the wait for an answer below which a finding about time is information.
const NEARLY_NOTHING: f64 = 0.01;

/// An anti-pattern that was found in a trace, with its evidence.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule that reports it.
    pub rule: &'static Rule,
    /// How severe it is: as its rule says, or less if nearly nothing waited for it.
    pub severity: Severity,
    /// The remedy, as a sentence without a full stop; `None` if it would save no time.
    pub remedy: Option<&'static str>,
    /// The share of its cost in the wait for the answer, from 0 to 1; `None` if it is not about the time of its trace.
    pub share: Option<f64>,
    /// The spans that show it, the most important first.
    pub spans: Vec<SpanId>,
    /// The cost on the critical path: the time by which the trace would be shorter without it, as far as the
    /// trace shows. Zero if it costs no time.
    pub cost: Duration,
    /// The evidence, as a sentence.
    pub evidence: String,
    /// The numbers and words of that sentence, for programs.
    pub facts: BTreeMap<&'static str, Json>,
    /// The spans of it that another finding must reach to explain it.
    pub(crate) explained_at: ExplainedAt,
    /// Whether the finding concerns its own spans alone: then it neither explains findings elsewhere in the
    /// request nor is explained by them.
    pub(crate) is_local: bool,
    /// Whether requests of other traces wait because of it: then its cost here does not weigh it.
    pub(crate) others_wait: bool,
    /// Whether it explains other findings, as its rule says.
    pub(crate) explains: bool,
}

/// The spans of a finding that another finding must reach to explain it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExplainedAt {
    /// Any of the spans.
    AnySpan,
    /// The first span: the others only passed on what the first span caused.
    FirstSpan,
}

/// A rule of the diagnosis: what it detects, its severity, and the remedy.
///
/// Each rule is declared in a separate file in `rules`, and listed in [the catalogue](crate::catalogue).
pub struct Rule {
    /// The name of its findings, unique among the rules.
    pub name: &'static str,
    /// The severity of its findings.
    pub severity: Severity,
    /// The meaning of its findings, as a sentence without a full stop.
    pub summary: &'static str,
    /// The remedy, as a sentence without a full stop.
    pub remedy: &'static str,
    /// The limits of the rule, each with its source. Empty if the rule needs no number.
    pub thresholds: &'static [Threshold],
    /// The origin of the rule, as a sentence without a full stop.
    pub source: &'static str,
    /// Whether load can cause such findings too: more users, less simulated time, or a machine that is busy
    /// with other work. They are true of their requests, but alone they do not indicate a fault.
    pub of_the_load: bool,
    /// Whether its findings are about time alone. Such a finding that is a small share of the wait is
    /// information, whatever the severity of the rule.
    pub about_time: bool,
    /// Whether the rule needs complete traces of the same system besides those that it judges: a trace with a
    /// missing part does not show that the part exists.
    pub needs_complete_traces: bool,
    /// The weaker findings that a finding of this rule explains. They are not reported together with it.
    pub explains: Explains,
    /// The traces that the rule needs, with its function.
    pub(crate) scope: Scope,
}

/// The weaker findings that a finding explains.
#[derive(Clone, Copy)]
pub struct Explains {
    /// The findings that share a span with it, or with the spans below it.
    pub nearby: &'static [&'static Rule],
    /// The findings anywhere in the same request: they describe the request as a whole.
    pub in_request: &'static [&'static Rule],
}

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Useful to know.
    Info,
    /// A user waits longer than necessary, or the trace is wrong.
    Warning,
    /// A user's request failed, or a secret was disclosed.
    Critical,
}

/// The traces that a rule needs, with the function that detects its findings.
pub(crate) enum Scope {
    /// One trace alone.
    Trace(fn(&View<'_>, &Thresholds, &mut Vec<Finding>)),
    /// All traces of a run together. Each finding is reported with the place of its trace.
    Run(fn(&RunFacts<'_>, &mut dyn FnMut(usize, Finding))),
}

// === impl Finding ===

impl Finding {
    /// Makes a finding without facts and without cost.
    pub(crate) fn new(rule: &'static Rule, spans: Vec<SpanId>, evidence: String) -> Self {
        Finding {
            rule,
            severity: rule.severity,
            remedy: Some(rule.remedy),
            share: None,
            spans,
            cost: Duration::ZERO,
            evidence,
            facts: BTreeMap::new(),
            explained_at: ExplainedAt::AnySpan,
            is_local: false,
            others_wait: false,
            explains: true,
        }
    }

    /// Sets the cost, in nanoseconds.
    pub(crate) fn costs(mut self, nanoseconds: u64) -> Self {
        self.cost = Duration::from_nanos(nanoseconds);
        self
    }

    /// Other requests wait because of it, if `others_wait`.
    pub(crate) fn for_others(mut self, others_wait: bool) -> Self {
        self.others_wait = others_wait;
        self
    }

    /// Makes it information, whose remedy helps another than the one who waits. It explains nothing.
    pub(crate) fn information(mut self) -> Self {
        self.severity = Severity::Info;
        self.explains = false;
        self
    }

    /// Computes its share of the wait, if it is about the time of its own trace. `path_ns` is the length of its critical path, in
    /// nanoseconds. Below 1 % it is information, and what saves no time needs no remedy.
    pub(crate) fn weigh(&mut self, path_ns: u64) {
        if !self.rule.about_time || self.others_wait {
            return;
        }
        let share = match path_ns {
            0 => 0.0,
            ns => (self.cost.as_nanos() as f64 / ns as f64).min(1.0),
        };
        self.share = Some(share);
        if self.cost.is_zero() && self.severity > Severity::Info {
            self.remedy = None;
        }
        if share < NEARLY_NOTHING {
            self.severity = Severity::Info;
        }
    }

    /// Adds a fact: a number or a word.
    pub(crate) fn fact(mut self, name: &'static str, value: impl Into<Json>) -> Self {
        self.facts.insert(name, value.into());
        self
    }

    /// Only a finding that reaches its first span explains it.
    pub(crate) fn explained_at_first_span(mut self) -> Self {
        self.explained_at = ExplainedAt::FirstSpan;
        self
    }

    /// Limits the finding to its own spans, if `is_local`.
    pub(crate) fn local(mut self, is_local: bool) -> Self {
        self.is_local = is_local;
        self
    }

    /// The page of the book about the rule.
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

    /// Explains findings of these rules near it, and none elsewhere in the request.
    pub(crate) const fn nearby(nearby: &'static [&'static Rule]) -> Explains {
        Explains {
            nearby,
            in_request: &[],
        }
    }
}

// === impl Severity ===

impl Severity {
    /// The lower-case name of the severity.
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
