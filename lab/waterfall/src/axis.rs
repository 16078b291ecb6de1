//! The time axis that all bars share, and the bars on it.

use crate::words::{self, width};
use trace::{Span, Trace};

/// The time from left to right: from the start of the earliest span to the end of the last.
pub(super) struct Axis {
    start_ns: u64,
    length_ns: u64,
    columns: usize,
}

/// The blocks that fill a column from the left in eighths: 1/8 to 8/8.
const FROM_LEFT: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// The number of columns for a label and the space after it.
const LABEL: u128 = 8;

impl Axis {
    pub(super) fn new(trace: &Trace, columns: usize) -> Axis {
        Axis {
            start_ns: trace.start_ns(),
            length_ns: trace.end_ns() - trace.start_ns(),
            columns,
        }
    }

    /// The labels of the axis, at round times: `0       50 ms   100 ms`.
    pub(super) fn labels(&self) -> String {
        let mut line = String::from("0");
        let shortest = u128::from(self.length_ns) * LABEL / (self.columns as u128).max(1);
        let step = round_up(u64::try_from(shortest).unwrap_or(u64::MAX));
        let mut time = step;
        while time < self.length_ns {
            let column =
                (u128::from(time) * self.columns as u128 / u128::from(self.length_ns)) as usize;
            let label = words::round_time(time);
            if column + width(&label) > self.columns {
                break;
            }
            if column > width(&line) {
                line.push_str(&" ".repeat(column - width(&line)));
                line.push_str(&label);
            }
            let Some(next) = time.checked_add(step) else {
                break;
            };
            time = next;
        }
        line
    }

    /// The bar of a span, as wide as the axis. Even the shortest span is visible.
    pub(super) fn bar(&self, span: &Span) -> String {
        let from = self.eighths(span.start_ns).min(self.columns * 8 - 1);
        let to = self.eighths(span.end_ns).max(from + 1);
        (0..self.columns)
            .map(|column| cell(from, to, column * 8))
            .collect()
    }

    fn eighths(&self, time_ns: u64) -> usize {
        let columns = self.columns as u128 * 8;
        match self.length_ns {
            0 => 0,
            length => {
                (u128::from(time_ns.saturating_sub(self.start_ns)) * columns / u128::from(length))
                    as usize
            }
        }
    }
}

/// The character of the column that begins at `left`; all positions are in eighths of a column. There are
/// blocks that grow from the left in eighths, but from the right only a half and an eighth: the nearest one
/// is used.
fn cell(from: usize, to: usize, left: usize) -> char {
    let begin = from.saturating_sub(left).min(8);
    let end = to.saturating_sub(left).min(8);
    match end.saturating_sub(begin) {
        0 => ' ',
        8 => '█',
        filled if begin == 0 || end < 8 => FROM_LEFT[filled - 1],
        7 => '█',
        3..=6 => '▐',
        _ => '▕',
    }
}

/// Rounds up to the next of 1, 2, 5, 10, 20, 50, …
fn round_up(time_ns: u64) -> u64 {
    let mut power: u64 = 1;
    loop {
        for factor in [1, 2, 5] {
            match power.checked_mul(factor) {
                Some(step) if step >= time_ns => return step,
                Some(_) => {}
                None => return u64::MAX,
            }
        }
        power = power.saturating_mul(10);
    }
}
