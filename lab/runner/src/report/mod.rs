//! The reports on a run, for people and for machines.

mod files;
mod junit;
mod markdown;
#[cfg(test)]
mod tests;
mod text;

use expect::Verdict;
use serde::Serialize;

use crate::outcome::{Finished, PhaseReport};

pub use files::{FilesError, Kept, write_files};
pub(crate) use files::{append_ledger, write_trace};
pub use junit::junit;
pub use markdown::markdown;
pub use text::{summary, text};

/// The number of failures that are shown in full; the others are counted.
const SHOWN: usize = 3;

/// The document that `tracelab run --format json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The worst verdict of the scenarios.
    pub verdict: Verdict,
    /// One part for each phase of each scenario.
    pub scenarios: Vec<PhaseReport>,
}

// === impl Report ===

impl Report {
    /// Makes the report on several scenarios.
    pub fn new(finished: &[Finished]) -> Self {
        let phases = finished.iter().flat_map(|scenario| &scenario.phases);
        let scenarios: Vec<PhaseReport> = phases.map(|phase| phase.report.clone()).collect();
        let verdict = scenarios
            .iter()
            .map(|part| part.verdict)
            .max()
            .unwrap_or(Verdict::Unsupported);
        Report { verdict, scenarios }
    }

    /// The number of phases that could not be judged.
    pub fn unsupported(&self) -> usize {
        let phases = self.scenarios.iter();
        phases
            .filter(|phase| phase.verdict == Verdict::Unsupported)
            .count()
    }
}
