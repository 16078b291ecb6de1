//! The assignment problem: pairs rows with columns at the least total cost.
//!
//! Nothing here knows about spans. Rows and columns are classes of equal units, each with a number of units.
//! A unit of a row may be paired with a unit of a column at the cost of the pair, and any unit may stay alone
//! at its own cost. With one unit in each class this is the assignment problem that the Hungarian algorithm
//! solves. With classes it is solved equally exactly by successive shortest paths, and 10,000 equal spans are
//! one column. Rows are expected to be few, like the nodes of an expectation: a path costs the square of
//! their number, for any number of columns.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

/// A class of equal units: the number of its units, and the cost of a unit that stays alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    pub(crate) units: u64,
    pub(crate) alone: i64,
}

/// The number of units of a row that are paired with a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) row: usize,
    pub(crate) column: usize,
    pub(crate) units: u64,
}

/// Finds the pairs of least total cost. `costs[row][column]` is `None` if the two cannot be paired.
pub(crate) fn assign(rows: &[Class], columns: &[Class], costs: &[Vec<Option<i64>>]) -> Vec<Flow> {
    let mut problem = Problem::new(rows, columns, costs);
    while problem.augment() {}
    let mut flows = Vec::new();
    for (row, units) in problem.flows.iter().enumerate() {
        let some = units
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, units)| *units > 0);
        flows.extend(some.map(|(column, units)| Flow { row, column, units }));
    }
    flows
}

/// The cost of a pair minus the costs of its two units alone.
fn gains(rows: &[Class], columns: &[Class], costs: &[Vec<Option<i64>>]) -> Vec<Vec<Option<i64>>> {
    let row_gains = |row: usize| {
        let pair = |(column, cost): (usize, &Option<i64>)| {
            cost.map(|cost| cost - rows[row].alone - columns[column].alone)
        };
        costs[row].iter().enumerate().map(pair).collect()
    };
    (0..rows.len()).map(row_gains).collect()
}

struct Problem {
    gains: Vec<Vec<Option<i64>>>,
    flows: Vec<Vec<u64>>,
    row_rest: Vec<u64>,
    column_rest: Vec<u64>,
    /// For each row: the columns that it can be paired with, the best one last. A column without units left
    /// is removed when it comes to the end, since it never gets units again.
    free: Vec<Vec<usize>>,
    /// For each row and other row: the columns that the row could take from the other, by the cost. Columns
    /// that the other no longer has are removed when they come to the top.
    takes: Vec<Vec<CheapestFirst>>,
}

/// Columns by their costs.
type CheapestFirst = BinaryHeap<Reverse<(i64, usize)>>;

/// A shortest path to a row: its length, and the row and the column before it. A path that begins at the row
/// has no row before it.
type Way = Option<(i64, Option<(usize, usize)>)>;

// === impl Problem ===

impl Problem {
    fn new(rows: &[Class], columns: &[Class], costs: &[Vec<Option<i64>>]) -> Self {
        let gains = gains(rows, columns, costs);
        let mut free = Vec::with_capacity(rows.len());
        for gains in &gains {
            let mut of: Vec<_> = (0..columns.len()).filter(|&c| gains[c].is_some()).collect();
            of.sort_by_key(|&column| Reverse((gains[column], column)));
            free.push(of);
        }
        Problem {
            gains,
            flows: vec![vec![0; columns.len()]; rows.len()],
            row_rest: rows.iter().map(|class| class.units).collect(),
            column_rest: columns.iter().map(|class| class.units).collect(),
            free,
            takes: vec![vec![BinaryHeap::new(); rows.len()]; rows.len()],
        }
    }

    /// Sends as many units as possible along the cheapest path; `false` if no path reduces the cost.
    ///
    /// Path costs never fall from one path to the next, so the first path without a gain ends the search at
    /// the optimum (Ahuja, Magnanti, Orlin: Network Flows, section 9.7).
    fn augment(&mut self) -> bool {
        let ways = self.shortest();
        let end = (0..ways.len())
            .filter_map(|row| {
                let column = self.best_free(row)?;
                Some((ways[row]?.0 + self.gains[row][column]?, row, column))
            })
            .min();
        let Some((_, last, end)) = end.filter(|(length, ..)| *length < 0) else {
            return false;
        };

        let (mut row, mut units) = (last, self.column_rest[end]);
        while let Some((_, Some((previous, column)))) = ways[row] {
            units = units.min(self.flows[row][column]);
            row = previous;
        }
        units = units.min(self.row_rest[row]);
        self.row_rest[row] -= units;
        self.column_rest[end] -= units;

        let (mut row, mut takes) = (last, end);
        loop {
            self.add(row, takes, units);
            let Some((_, Some((previous, column)))) = ways[row] else {
                return true;
            };
            self.flows[row][column] -= units;
            (row, takes) = (previous, column);
        }
    }

    /// The best column for a row that has units left.
    fn best_free(&mut self, row: usize) -> Option<usize> {
        while self.free[row]
            .last()
            .is_some_and(|&column| self.column_rest[column] == 0)
        {
            self.free[row].pop();
        }
        self.free[row].last().copied()
    }

    /// The least cost for which a row can take a column from another row, and the column.
    fn best_take(&mut self, row: usize, other: usize) -> Option<(i64, usize)> {
        let columns = &mut self.takes[row][other];
        while columns
            .peek()
            .is_some_and(|Reverse((_, column))| self.flows[other][*column] == 0)
        {
            columns.pop();
        }
        columns.peek().map(|Reverse(best)| *best)
    }

    /// Gives units of a column to a row, from which other rows may take them.
    fn add(&mut self, row: usize, column: usize, units: u64) {
        let had = self.flows[row][column];
        self.flows[row][column] += units;
        let own = self.gains[row][column].expect("a row is given what it can go with");
        for other in (0..self.takes.len()).filter(|&other| other != row && had == 0) {
            if let Some(gain) = self.gains[other][column] {
                self.takes[other][row].push(Reverse((gain - own, column)));
            }
        }
    }

    /// The shortest paths from the rows that have units left; each step takes a column from another row
    /// (Bellman and Ford).
    fn shortest(&mut self) -> Vec<Way> {
        let rows = self.row_rest.len();
        let mut ways: Vec<Way> = self
            .row_rest
            .iter()
            .map(|&rest| (rest > 0).then_some((0, None)))
            .collect();
        let mut next: VecDeque<usize> = (0..rows).filter(|&row| ways[row].is_some()).collect();
        while let Some(row) = next.pop_front() {
            let Some((length, _)) = ways[row] else {
                continue;
            };
            for other in (0..rows).filter(|&other| other != row) {
                let Some((cost, column)) = self.best_take(row, other) else {
                    continue;
                };
                if ways[other].is_none_or(|(known, _)| length + cost < known) {
                    ways[other] = Some((length + cost, Some((row, column))));
                    if !next.contains(&other) {
                        next.push_back(other);
                    }
                }
            }
        }
        ways
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The cost of an assignment; it must not use more units than there are.
    fn cost(rows: &[Class], columns: &[Class], costs: &[Vec<Option<i64>>], flows: &[Flow]) -> i64 {
        let mut row_rest: Vec<_> = rows.iter().map(|class| class.units).collect();
        let mut column_rest: Vec<_> = columns.iter().map(|class| class.units).collect();
        let mut total = 0;
        for flow in flows {
            row_rest[flow.row] = row_rest[flow.row].checked_sub(flow.units).unwrap();
            column_rest[flow.column] = column_rest[flow.column].checked_sub(flow.units).unwrap();
            total += costs[flow.row][flow.column].unwrap() * flow.units as i64;
        }
        let alone = |classes: &[Class], rest: &[u64]| -> i64 {
            classes
                .iter()
                .zip(rest)
                .map(|(class, rest)| class.alone * *rest as i64)
                .sum()
        };
        total + alone(rows, &row_rest) + alone(columns, &column_rest)
    }

    /// The least cost, by trying everything: each unit of the rows alone or with any column.
    fn least(
        units: &[usize],
        rows: &[Class],
        column_rest: &mut Vec<u64>,
        columns: &[Class],
        costs: &[Vec<Option<i64>>],
    ) -> i64 {
        let Some((&row, others)) = units.split_first() else {
            return columns
                .iter()
                .zip(column_rest)
                .map(|(c, rest)| c.alone * *rest as i64)
                .sum();
        };
        let mut best = rows[row].alone + least(others, rows, column_rest, columns, costs);
        for column in 0..columns.len() {
            if let (Some(cost), true) = (costs[row][column], column_rest[column] > 0) {
                column_rest[column] -= 1;
                best = best.min(cost + least(others, rows, column_rest, columns, costs));
                column_rest[column] += 1;
            }
        }
        best
    }

    type Instance = (Vec<Class>, Vec<Class>, Vec<Vec<Option<i64>>>);

    fn instance() -> impl Strategy<Value = Instance> {
        let class = || (0..3u64, 0..12i64).prop_map(|(units, alone)| Class { units, alone });
        (
            prop::collection::vec(class(), 0..4),
            prop::collection::vec(class(), 0..5),
            prop::collection::vec(
                prop::collection::vec(prop::option::weighted(0.8, 0..15i64), 5),
                4,
            ),
        )
            .prop_map(|(rows, columns, mut costs)| {
                costs.truncate(rows.len());
                costs.iter_mut().for_each(|row| row.truncate(columns.len()));
                (rows, columns, costs)
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

        #[test]
        fn no_assignment_is_cheaper((rows, columns, costs) in instance()) {
            let found = cost(&rows, &columns, &costs, &assign(&rows, &columns, &costs));
            let units: Vec<usize> = rows
                .iter()
                .enumerate()
                .flat_map(|(row, class)| vec![row; class.units as usize])
                .collect();
            let mut rest: Vec<_> = columns.iter().map(|class| class.units).collect();
            prop_assert_eq!(found, least(&units, &rows, &mut rest, &columns, &costs));
        }
    }

    #[test]
    fn a_greedy_choice_is_taken_back() {
        // The first row takes the cheaper column first; the second row can only have that one.
        let one = |alone| Class { units: 1, alone };
        let costs = vec![vec![Some(0), Some(1)], vec![Some(0), None]];
        let flows = assign(&[one(9), one(9)], &[one(0), one(0)], &costs);
        let pairs: Vec<_> = flows.iter().map(|flow| (flow.row, flow.column)).collect();
        assert_eq!(pairs, [(0, 1), (1, 0)]);
    }
}
