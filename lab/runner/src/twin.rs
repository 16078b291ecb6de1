//! The times of the twin, with which a scenario may compare.

use expect::Twin;
use loadgen::Line;
use scenario::{Node, Scenario, TimeWant};
use trace::Trace;

use crate::traces::Found;

/// Whether the scenario compares a time with the times of the twin.
pub(crate) fn compares_with_twin(scenario: &Scenario) -> bool {
    fn in_node(node: &Node) -> bool {
        node.duration_of_twin.is_some() || node.children.iter().any(in_node)
    }
    let in_latency = scenario.latency.iter().any(|want| {
        let mut times = want.percentiles.iter().map(|(_, time)| time);
        times.any(|time| matches!(time, TimeWant::OfTwin(_)))
    });
    in_latency || scenario.expect.tree.iter().any(in_node)
}

/// The times of the twin, from these requests of it; `None` if the scenario does not compare with them.
pub(crate) fn measure_twin<'r>(
    scenario: &Scenario,
    twin: impl Iterator<Item = (&'r Line, &'r Found)>,
) -> Option<Twin> {
    if !compares_with_twin(scenario) {
        return None;
    }
    let traces: Vec<(Trace, Vec<Trace>)> = twin
        .filter(|(line, _)| line.step.counts() && line.started.is_some())
        .filter_map(|(_, found)| {
            let trace = found.trace.as_deref()?.clone();
            Some((trace, found.related.clone()))
        })
        .collect();
    Some(Twin::measure(&scenario.expect, &traces))
}
