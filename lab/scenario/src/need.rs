//! What a scenario needs: the one list of the words of `needs:`.

use std::fmt;

/// What a scenario, one of its phases, or a single want of it needs. Where the lab does not have it, that
/// part is unsupported: it neither passes nor fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// `postgresql`: a database with locks on rows. SQLite has one lock for all.
    Postgresql,
    /// `textbook`: the simulated times of the textbook pace. Without them an order takes some
    /// milliseconds, and what a scenario says of times, or what follows from them, may not hold.
    Textbook,
}

// === impl Need ===

impl Need {
    /// All that can be needed.
    pub const ALL: [Need; 2] = [Need::Postgresql, Need::Textbook];

    /// The word for it in a scenario file.
    pub fn as_str(self) -> &'static str {
        match self {
            Need::Postgresql => "postgresql",
            Need::Textbook => "textbook",
        }
    }
}

impl From<faults::Need> for Need {
    fn from(need: faults::Need) -> Need {
        match need {
            faults::Need::Postgresql => Need::Postgresql,
        }
    }
}

/// As sentences call it.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Postgresql => f.write_str("PostgreSQL"),
            Need::Textbook => f.write_str("the textbook pace"),
        }
    }
}
