//! A table of nodes and candidate spans with the costs of all pairs, and the choice of the cheapest pairs.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use scenario::Count;

use crate::{
    assign::{Class, Flow, assign},
    matching::{Excess, Why},
};

/// Some nodes, their candidate spans, and the cost of each pair.
pub(crate) struct Table<'c> {
    /// For each node: the number of its spans, and the cost of a missing span.
    pub(crate) nodes: Vec<(Count, i64)>,
    /// The spans.
    pub(crate) candidates: &'c [usize],
    /// For each node, then each candidate: the cost; `None` if the two cannot be paired.
    pub(crate) costs: Vec<Option<i64>>,
    /// For each candidate: the cost if no node matches it, and the reason.
    pub(crate) alone: Vec<(i64, Option<Why>)>,
    /// Candidates that fit a node with the count zero.
    pub(crate) forbidden: Vec<Excess>,
}

/// The cheapest choice. Nodes and candidates are identified by their indices in the table.
pub(crate) struct Choice {
    /// Pairs of a node and a candidate.
    pub(crate) pairs: Vec<(usize, usize)>,
    /// Candidates without a node, in order.
    pub(crate) left: Vec<usize>,
}

// === impl Table ===

impl Table<'_> {
    /// The cost of a pair; `None` if the two cannot be paired.
    pub(crate) fn cost(&self, node: usize, candidate: usize) -> Option<i64> {
        self.costs[node * self.candidates.len() + candidate]
    }

    /// Finds the pairs of least total cost.
    pub(crate) fn cheapest(&self) -> Choice {
        if self.costs.iter().all(Option::is_none) {
            return Choice {
                pairs: Vec::new(),
                left: (0..self.candidates.len()).collect(),
            };
        }
        if let Some(free) = self.free() {
            return free;
        }
        let (columns, members) = self.columns();
        let (nodes, rows): (Vec<usize>, Vec<Class>) = self.rows().into_iter().unzip();
        // The members of a column cost the same: the first stands for all.
        let cost = |node: usize, members: &Vec<usize>| self.cost(node, members[0]);
        let costs: Vec<Vec<_>> = nodes
            .iter()
            .map(|&node| members.iter().map(|members| cost(node, members)).collect())
            .collect();

        let mut left: Vec<_> = members
            .iter()
            .map(|members| members.iter().copied())
            .collect();
        let mut pairs = Vec::new();
        for Flow { row, column, units } in assign(&rows, &columns, &costs) {
            for _ in 0..units {
                let candidate = left[column]
                    .next()
                    .expect("a column has a member for each unit");
                pairs.push((nodes[row], candidate));
            }
        }
        let mut left: Vec<usize> = left.into_iter().flatten().collect();
        left.sort_unstable();
        Choice { pairs, left }
    }

    /// The pairs without cost, in the obvious case: each candidate fits one node or none, and each node gets
    /// the right number. No choice is cheaper.
    fn free(&self) -> Option<Choice> {
        let mut choice = Choice {
            pairs: Vec::with_capacity(self.candidates.len()),
            left: Vec::new(),
        };
        let mut counts = vec![0u64; self.nodes.len()];
        for candidate in 0..self.candidates.len() {
            let mut free =
                (0..self.nodes.len()).filter(|&node| self.cost(node, candidate) == Some(0));
            match (free.next(), free.next()) {
                (Some(node), None) => {
                    counts[node] += 1;
                    choice.pairs.push((node, candidate));
                }
                (None, _) if self.alone[candidate].0 == 0 => choice.left.push(candidate),
                _ => return None,
            }
        }
        let as_asked = |((times, _), count): (&(Count, i64), &u64)| times.contains(*count);
        self.nodes
            .iter()
            .zip(&counts)
            .all(as_asked)
            .then_some(choice)
    }

    /// The nodes as rows: one row for the required spans, and one for the optional ones.
    fn rows(&self) -> Vec<(usize, Class)> {
        let all = self.candidates.len() as u64;
        let mut rows = Vec::new();
        for (node, &(times, weight)) in self.nodes.iter().enumerate() {
            let must = times.min.min(all);
            let may = times.max.unwrap_or(all).min(all).saturating_sub(must);
            rows.push((
                node,
                Class {
                    units: must,
                    alone: weight,
                },
            ));
            rows.push((
                node,
                Class {
                    units: may,
                    alone: 0,
                },
            ));
        }
        rows.retain(|(_, class)| class.units > 0);
        rows
    }

    /// Candidates with equal costs, as columns with their members.
    fn columns(&self) -> (Vec<Class>, Vec<Vec<usize>>) {
        let mut known: HashMap<(Vec<Option<i64>>, i64), usize, RandomState> = HashMap::default();
        let (mut columns, mut members): (Vec<Class>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
        for candidate in 0..self.candidates.len() {
            let nodes = 0..self.nodes.len();
            let costs = nodes.map(|node| self.cost(node, candidate)).collect();
            let alone = self.alone[candidate].0;
            let column = *known.entry((costs, alone)).or_insert_with(|| {
                columns.push(Class { units: 0, alone });
                members.push(Vec::new());
                columns.len() - 1
            });
            columns[column].units += 1;
            members[column].push(candidate);
        }
        (columns, members)
    }
}
