//! How far a run has come.

use crate::phase::Phase;

/// How far a run has come.
#[derive(Clone, Debug)]
pub enum Progress {
    /// There is a place to run in.
    Ready,
    /// A phase makes its requests.
    Driving {
        /// Of this scenario.
        scenario: String,
        /// Which phase.
        phase: Phase,
        /// Requests so far.
        requests: u64,
        /// Journeys planned in all, if that is known.
        planned: Option<u64>,
    },
    /// A phase waits for its traces.
    Settling {
        /// Of this scenario.
        scenario: String,
        /// Which phase.
        phase: Phase,
        /// Settled so far.
        settled: usize,
        /// To be judged in all.
        of: usize,
    },
    /// A scenario is over.
    Done {
        /// Which one.
        scenario: String,
        /// How many are over.
        done: usize,
        /// How many there are in all.
        of: usize,
    },
}
