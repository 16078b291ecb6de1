//! [`Case`]: a request with its trace; [`Unexplained`]: a trace without a request.

use std::{sync::Arc, time::Duration};

use expect::{Report, Verdict};
use loadgen::Line;
use trace::{Trace, TraceId};

/// One request, with its trace and the result of its checks.
#[derive(Clone, Debug)]
pub struct Case {
    /// The request.
    pub line: Line,
    /// The trace of the request, as it was judged; `None` if no trace arrived.
    pub trace: Option<Arc<Trace>>,
    /// The other traces that are connected with it: by a link, an order id or a message id.
    pub related: Vec<Trace>,
    /// Whether the trace is missing because it was sampled out, which is allowed.
    pub sampled_out: bool,
    /// The verdict on the request.
    pub verdict: Verdict,
    /// The comparison of the trace with its expectation; `None` if the scenario has no expectation for it.
    pub report: Option<Report>,
    /// The findings that the diagnosis reports on the trace.
    pub findings: Vec<diagnose::Finding>,
    /// Any other reason why the case failed or could not be judged.
    pub why: Option<String>,
    /// In a silent phase, what the verdict is made of if the times of the phase hold.
    pub(crate) shown: Option<Shown>,
    /// The delay of the latest span of the trace, from its end to its arrival.
    pub(crate) arrival: Option<Duration>,
    /// Whether the trace was evicted before it was read.
    pub(crate) is_evicted: bool,
}

/// The verdicts that a request of a silent phase gets its own from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shown {
    /// Whether the trace is as the phase wants it.
    pub(crate) own: Verdict,
    /// Whether the trace looks as the faulty one.
    pub(crate) shown: Verdict,
}

/// A trace that belongs to no request.
#[derive(Clone, Debug)]
pub struct Unexplained {
    /// The trace.
    pub trace_id: TraceId,
    /// The number of its spans.
    pub spans: usize,
    /// The service and the name of its first span.
    pub first: String,
    /// The start of its first span, in nanoseconds since the Unix epoch.
    pub began: u64,
}

// === impl Unexplained ===

impl Unexplained {
    /// Describes a trace that belongs to no request.
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

    /// Describes the spans as a phrase for a message.
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
    /// Whether this is a request that the scenario judges and that was not sampled out.
    pub fn is_judged(&self) -> bool {
        self.line.step.counts() && self.line.started.is_some() && !self.sampled_out
    }

    /// Whether the diagnosis reports a finding with this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.rule.name == name)
    }

    /// The answer to the request, as a short phrase.
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

// === impl Shown ===

impl Shown {
    /// The verdict on the request, if the times of the whole phase have this verdict. A trace that fails in
    /// part does not look as the faulty one.
    pub(crate) fn verdict(self, of_times: Verdict) -> Verdict {
        match self.shown.max(of_times) {
            Verdict::Fail => self.own,
            Verdict::Pass => Verdict::Fail,
            Verdict::Unsupported => Verdict::Unsupported,
        }
    }
}
