//! [`Pace`]: how fast the simulated steps of a shop are.

use serde::{Deserialize, Serialize};

/// Whether steps that a demo cannot do for real take a simulated time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// The times that the textbook trace shows.
    #[default]
    Textbook,
    /// No simulated time at all.
    None,
}

// === impl Pace ===

impl Pace {
    /// The word for it on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Pace::Textbook => "textbook",
            Pace::None => "none",
        }
    }
}
