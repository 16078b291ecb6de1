//! The phases of a scenario.

use std::fmt;

use serde::Serialize;

/// A phase of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The scenario itself, with its faults if it has any.
    Faulty,
    /// The same load without the fault.
    Twin,
    /// What looks alike and is healthy.
    NearMiss,
}

// === impl Phase ===

impl Phase {
    /// All of them, in the order in which they are run.
    pub const ALL: [Phase; 3] = [Phase::Faulty, Phase::Twin, Phase::NearMiss];

    /// The word for it on the command line and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Faulty => "faulty",
            Phase::Twin => "twin",
            Phase::NearMiss => "near-miss",
        }
    }

    /// Whether it must not look as the scenario expects.
    pub fn is_silent(self) -> bool {
        self != Phase::Faulty
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
