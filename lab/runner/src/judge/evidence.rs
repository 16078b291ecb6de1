//! [`Evidence`]: what a phase is judged by.

use collector::Sampling;
use expect::Twin;

use super::latency::LatencyLine;
use crate::{conditions::Conditions, phase_traces::PhaseTraces};

/// What a phase is judged by, besides its own traces.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    /// The times of the twin, if the scenario compares with them.
    pub(crate) twin: Option<&'a Twin>,
    /// The other phases.
    pub(crate) other_phases: &'a [&'a PhaseTraces],
    /// The results of the latency wants.
    pub(crate) latency: Vec<LatencyLine>,
    /// What the environment offers to the needs of a want.
    pub(crate) conditions: Conditions,
    /// Whether the load and the pace are those of the scenario file.
    pub(crate) as_written: bool,
    /// Whether the machine stood still for a large share of the time.
    pub(crate) stalled: bool,
    /// The sampling rules of the Collector.
    pub(crate) sampling: Option<Sampling>,
}
