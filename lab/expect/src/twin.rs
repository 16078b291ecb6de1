//! The durations of the twin's spans, with which durations are compared.

use std::{collections::HashMap, time::Duration};

use scenario::{Expectation, Position};
use trace::Trace;

use crate::{forest::Forest, matching::Siblings, plan::Plan, search};

/// The median duration of each node's spans over the traces of a twin.
#[derive(Clone, Debug, Default)]
pub struct Twin(HashMap<Position, Duration>);

// === impl Twin ===

impl Twin {
    /// Measures traces, each with its related traces. They need not fulfil the expectation: the nearest spans
    /// of each node are measured.
    pub fn measure(expectation: &Expectation, traces: &[(Trace, Vec<Trace>)]) -> Twin {
        let mut times: HashMap<Position, Vec<Duration>> = HashMap::new();
        for (trace, related) in traces {
            let forest = Forest::new(trace, related);
            let plan = Plan::new(expectation);
            let matched = search::search(&plan, &forest);
            note(&plan, &forest, &matched.top, &mut times);
        }
        let median = |mut times: Vec<Duration>| {
            times.sort_unstable();
            times[times.len() / 2]
        };
        Twin(
            times
                .into_iter()
                .map(|(position, times)| (position, median(times)))
                .collect(),
        )
    }

    /// The median of a node; `None` if the twin has no such span.
    pub(crate) fn median(&self, position: Position) -> Option<Duration> {
        self.0.get(&position).copied()
    }
}

fn note(
    plan: &Plan<'_>,
    forest: &Forest<'_>,
    siblings: &Siblings<'_>,
    times: &mut HashMap<Position, Vec<Duration>>,
) {
    for pair in &siblings.pairs {
        let position = plan.items[pair.item].node.position;
        let duration = forest.span(pair.span).duration();
        times.entry(position).or_default().push(duration);
        note(plan, forest, &pair.children, times);
    }
}
