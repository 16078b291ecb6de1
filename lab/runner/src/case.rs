//! A request with its trace, and a trace without a request.

use std::sync::Arc;

use expect::{Report, Verdict};
use loadgen::Line;
use trace::{Trace, TraceId};

/// One request, with its trace and what was found of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The request.
    pub line: Line,
    /// Its trace, as it was judged; `None` if it never came.
    pub trace: Option<Arc<Trace>>,
    /// The traces that have to do with it.
    pub related: Vec<Trace>,
    /// Whether it is missing because it was sampled out, as it may be.
    pub sampled_out: bool,
    /// What became of it.
    pub verdict: Verdict,
    /// What its trace must look like, held against it; `None` where nothing is said of it.
    pub report: Option<Report>,
    /// What the diagnosis reports of it.
    pub findings: Vec<diagnose::Finding>,
    /// What is wrong besides.
    pub why: Option<String>,
}

/// A trace that belongs to no request.
#[derive(Clone, Debug)]
pub struct Unexplained {
    /// The trace.
    pub trace_id: TraceId,
    /// How many spans it has.
    pub spans: usize,
    /// The service and the name of its first span.
    pub first: String,
    /// When it began, in nanoseconds since the Unix epoch.
    pub began: u64,
}

// === impl Unexplained ===

impl Unexplained {
    /// A trace that belongs to no request.
    pub(crate) fn of(trace: &Trace) -> Unexplained {
        let first = trace.spans().first();
        Unexplained {
            trace_id: trace.id(),
            spans: trace.spans().len(),
            first: first
                .map(|span| format!("{} {}", span.service(), span.name))
                .unwrap_or_default(),
            began: trace.start_ns(),
        }
    }

    /// What of it belongs to no request, in words.
    pub(crate) fn in_words(&self) -> String {
        let first = &self.first;
        match self.spans {
            1 => format!("1 span that belongs to no request: {first}"),
            spans => format!("{spans} spans that belong to no request, the first {first}"),
        }
    }
}

// === impl Case ===

impl Case {
    /// Whether this is a request that the scenario speaks of, and that has not been sampled out.
    pub fn is_judged(&self) -> bool {
        self.line.step.counts() && self.line.started.is_some() && !self.sampled_out
    }

    /// Whether the diagnosis reports a finding of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.rule.name == name)
    }

    /// What was answered, in a few words.
    pub(crate) fn answer(&self) -> String {
        let line = &self.line;
        let step = line.step.as_str();
        match (line.status, &line.reply) {
            (Some(status), None) => format!("{step} → {status}"),
            (Some(status), Some(reply)) => format!("{step} → {status} {reply}"),
            (None, Some(reply)) => format!("{step}: {reply}"),
            (None, None) => format!("{step}: no reply"),
        }
    }
}
