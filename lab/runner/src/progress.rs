//! [`Progress`]: the progress of a run.

use crate::phase::Phase;

/// The progress of a run.
#[derive(Clone, Debug)]
pub enum Progress {
    /// The environment is ready.
    Ready,
    /// A phase makes its requests.
    Driving {
        /// The name of the scenario.
        scenario: String,
        /// The phase.
        phase: Phase,
        /// The number of requests so far.
        requests: u64,
        /// The number of planned journeys; `None` if it is unknown.
        planned: Option<u64>,
    },
    /// The load of a phase waits: the sink has no room for more traces until those that are there were judged.
    Waiting {
        /// The name of the scenario.
        scenario: String,
        /// The phase.
        phase: Phase,
        /// The number of requests that are not judged yet.
        open: usize,
    },
    /// A phase waits for its traces.
    Settling {
        /// The name of the scenario.
        scenario: String,
        /// The phase.
        phase: Phase,
        /// The number of settled traces so far.
        settled: usize,
        /// The number of traces to be judged.
        of: usize,
    },
    /// A scenario has ended.
    Done {
        /// The name of the scenario.
        scenario: String,
        /// The number of scenarios that have ended.
        done: usize,
        /// The number of all scenarios.
        of: usize,
    },
}
