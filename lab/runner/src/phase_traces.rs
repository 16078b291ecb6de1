//! [`PhaseTraces`]: the requests of a phase that was driven, with their traces.

use std::time::Duration;

use collector::Sampling;
use loadgen::{Line, LoadReport, UnixNanos};

use crate::{digest::Digest, phase::Phase, traces::Found};

/// The result of driving a phase. Its requests are judged, or not yet.
#[derive(Debug)]
pub(crate) struct PhaseTraces {
    pub(crate) phase: Phase,
    /// The load, with the lines of the requests that are here: first those that the digest kept, then those
    /// that are not judged yet.
    pub(crate) load: LoadReport,
    /// The trace of each line, in the order of the lines.
    pub(crate) found: Vec<Found>,
    /// What is left of the requests that were judged while the load ran.
    pub(crate) digest: Digest,
    /// The sampling rules of the Collector for the traces of these requests.
    pub(crate) sampling: Option<Sampling>,
    pub(crate) lost_spans: u64,
    /// Why the traces that did not come are missing, where that can be known.
    pub(crate) why_missing: Option<String>,
    /// The share of the time in which the machine stood still, from 0 to 1; `None` if it is small.
    pub(crate) stalled: Option<f64>,
    /// How long the load waited until the sink had room for more traces.
    pub(crate) waited: Duration,
    /// The number of spans that came after their traces were judged, while the load ran.
    pub(crate) late_spans: u64,
}

// === impl PhaseTraces ===

impl PhaseTraces {
    /// The lines that the scenario judges, with their traces.
    pub(crate) fn judged(&self) -> impl Iterator<Item = (&Line, &Found)> {
        self.load
            .lines
            .iter()
            .zip(&self.found)
            .filter(|(line, _)| line.step.counts() && line.started.is_some())
    }

    /// The requests that were not judged while the load ran.
    pub(crate) fn last(&self) -> impl Iterator<Item = (&Line, &Found)> {
        let requests = self.load.lines.iter().zip(&self.found);
        requests.skip(self.digest.findings.len())
    }

    /// The start and the end of the load.
    pub(crate) fn window(&self) -> (UnixNanos, UnixNanos) {
        let lines = || self.load.lines.iter();
        let before = self.digest.window;
        let began = lines().map(|line| line.started.unwrap_or(line.planned));
        let began = began.chain(before.map(|(began, _)| began)).min();
        let ended = lines().filter_map(|line| line.ended);
        let ended = ended.chain(before.map(|(_, ended)| ended)).max();
        (began.unwrap_or_default(), ended.unwrap_or_default())
    }
}
