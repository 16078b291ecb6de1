//! What a run came to, for people and for machines.

mod files;
mod junit;
mod markdown;
mod text;

use expect::Verdict;
use serde::Serialize;

use crate::outcome::{Finished, PhaseReport};

pub use files::{FilesError, Kept, write_files};
pub use junit::junit;
pub use markdown::markdown;
pub use text::{summary, text};

/// How many failures are shown in full; the rest are counted.
const SHOWN: usize = 3;

/// The document that `tracelab run --format json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The worst of the scenarios.
    pub verdict: Verdict,
    /// A part a scenario and phase.
    pub scenarios: Vec<PhaseReport>,
}

// === impl Report ===

impl Report {
    /// The report over several scenarios.
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

    /// How many phases could not be judged.
    pub fn unsupported(&self) -> usize {
        let phases = self.scenarios.iter();
        phases
            .filter(|phase| phase.verdict == Verdict::Unsupported)
            .count()
    }
}

/// The word for a verdict.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Unsupported => "UNSUPPORTED",
    }
}
