//! What a phase is judged by.

use collector::Sampling;
use expect::Twin;

use super::latency::LatencyLine;
use crate::{conditions::Conditions, drive::PhaseTraces};

/// What a phase is judged by, besides its own traces.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    /// The times of the twin, where something is compared with them.
    pub(crate) twin: Option<&'a Twin>,
    /// The other phases.
    pub(crate) other_phases: &'a [&'a PhaseTraces],
    /// What the times that are wanted came to.
    pub(crate) latency: Vec<LatencyLine>,
    /// What there is of what a want may need.
    pub(crate) conditions: Conditions,
    /// Whether the load and the pace are those that the scenario speaks of.
    pub(crate) as_written: bool,
    /// Whether the machine stood still for much of the time.
    pub(crate) stalled: bool,
    /// What a Collector samples.
    pub(crate) sampling: Option<Sampling>,
}
