//! The assignment problem: who goes with whom at the least total cost.
//!
//! Nothing here knows of spans. Rows and columns are classes of equals, each with a number of
//! units; a unit of a row may go with a unit of a column at the cost of the pair, and any unit may
//! stay alone at a cost of its own. With one unit in each class this is the assignment problem
//! that the Hungarian algorithm solves; with classes it is solved just as exactly by successive
//! shortest paths, and 10,000 equal spans are one column.

/// A class of equals: how many, and what each costs that stays alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    pub(crate) units: u64,
    pub(crate) alone: i64,
}

/// So many units of a row go with a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) row: usize,
    pub(crate) column: usize,
    pub(crate) units: u64,
}

/// Finds the pairs of least total cost. `costs[row][column]` is `None` where the two cannot go
/// together.
pub(crate) fn assign(rows: &[Class], columns: &[Class], costs: &[Vec<Option<i64>>]) -> Vec<Flow> {
    let mut problem = Problem {
        gains: gains(rows, columns, costs),
        flows: vec![vec![0; columns.len()]; rows.len()],
        row_rest: rows.iter().map(|class| class.units).collect(),
        column_rest: columns.iter().map(|class| class.units).collect(),
    };
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

/// What a pair costs more than both of its units alone.
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
}

/// A shortest way found so far: its length, and the class that it came from.
type Way = Option<(i64, usize)>;

// === impl Problem ===

impl Problem {
    /// Sends as many units as possible along the cheapest path; false if no path gains anything.
    ///
    /// Path lengths never shrink from one path to the next, so that the first that gains nothing
    /// ends the search at the optimum (Ahuja, Magnanti, Orlin: Network Flows, section 9.7).
    fn augment(&mut self) -> bool {
        let (to_rows, to_columns) = self.shortest();
        let end = (0..self.column_rest.len())
            .filter(|&column| self.column_rest[column] > 0)
            .filter_map(|column| Some((to_columns[column]?.0, column)))
            .min();
        let Some((_, end)) = end.filter(|(length, _)| *length < 0) else {
            return false;
        };

        let mut path = Vec::new();
        let mut units = self.column_rest[end];
        let mut column = end;
        let start = loop {
            let (_, row) = to_columns[column].expect("a column on a path was reached");
            path.push((row, column));
            match to_rows[row].expect("a row on a path was reached") {
                (_, START) => break row,
                (_, previous) => {
                    units = units.min(self.flows[row][previous]);
                    column = previous;
                }
            }
        };
        units = units.min(self.row_rest[start]);
        self.row_rest[start] -= units;
        self.column_rest[end] -= units;
        for (step, &(row, column)) in path.iter().enumerate() {
            self.flows[row][column] += units;
            if let Some(&(_, given_up)) = path.get(step + 1) {
                self.flows[row][given_up] -= units;
            }
        }
        true
    }

    /// The shortest ways from any row with units left, forwards along any pair and backwards along
    /// a pair that is in use (Bellman and Ford; rows are few, so that the rounds are few).
    fn shortest(&self) -> (Vec<Way>, Vec<Way>) {
        let mut to_rows: Vec<Way> = self
            .row_rest
            .iter()
            .map(|&rest| (rest > 0).then_some((0, START)))
            .collect();
        let mut to_columns: Vec<Way> = vec![None; self.column_rest.len()];
        let mut changed: Vec<bool> = to_rows.iter().map(Option::is_some).collect();
        while changed.iter().any(|&changed| changed) {
            for row in (0..to_rows.len()).filter(|&row| std::mem::take(&mut changed[row])) {
                let Some((length, _)) = to_rows[row] else {
                    continue;
                };
                for (column, gain) in self.gains[row].iter().enumerate() {
                    if let Some(gain) = gain {
                        shorten(&mut to_columns[column], length + gain, row);
                    }
                }
            }
            for row in 0..to_rows.len() {
                for (column, &units) in self.flows[row].iter().enumerate() {
                    if let (true, Some((length, _)), Some(gain)) =
                        (units > 0, to_columns[column], self.gains[row][column])
                    {
                        changed[row] |= shorten(&mut to_rows[row], length - gain, column);
                    }
                }
            }
        }
        (to_rows, to_columns)
    }
}

/// Where a way came from that begins at a row.
const START: usize = usize::MAX;

fn shorten(way: &mut Way, length: i64, from: usize) -> bool {
    let shorter = way.is_none_or(|(known, _)| length < known);
    if shorter {
        *way = Some((length, from));
    }
    shorter
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What an assignment costs; it must keep to the units that there are.
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
