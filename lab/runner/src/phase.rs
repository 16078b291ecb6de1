//! The phases of a scenario.

use std::fmt;

use serde::Serialize;

/// A phase of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The scenario with its faults, if it has any.
    Faulty,
    /// The same load without the fault.
    Twin,
    /// A load that looks alike and is healthy.
    NearMiss,
}

// === impl Phase ===

impl Phase {
    /// All phases, in the order in which they are run.
    pub const ALL: [Phase; 3] = [Phase::Faulty, Phase::Twin, Phase::NearMiss];

    /// The name of the phase on the command line and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Faulty => "faulty",
            Phase::Twin => "twin",
            Phase::NearMiss => "near-miss",
        }
    }

    /// Whether a trace of the phase must not fulfil the expectation of the scenario.
    pub fn is_silent(self) -> bool {
        self != Phase::Faulty
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
