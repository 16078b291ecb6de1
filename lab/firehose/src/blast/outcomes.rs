//! [`Outcomes`]: how each request of a run ended.

use serde::{Deserialize, Serialize};

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It was not begun.
    #[default]
    NeverSent,
    /// It had no outcome when the run ended.
    InFlight,
    /// All of it was taken.
    Accepted,
    /// All but some spans were taken.
    Partial {
        /// How many were not.
        rejected: u32,
    },
    /// Its last answer was that the receiver has too much to do.
    Refused,
    /// Its last answer was that it cannot be taken.
    Rejected,
    /// It had no answer: the connection broke, or it took too long.
    Unanswered,
}

/// How each request ended, by its number. Some were sent twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    first: Vec<Outcome>,
    /// The numbers of those that were sent twice, and how the second one ended.
    second: Vec<(u64, Outcome)>,
}

// === impl Outcomes ===

impl Outcomes {
    /// How a request ended, and its copy if there is one.
    pub fn of(&self, number: u64) -> (Outcome, Option<Outcome>) {
        let first = usize::try_from(number)
            .ok()
            .and_then(|at| self.first.get(at));
        let second = self
            .second
            .binary_search_by_key(&number, |(number, _)| *number);
        (
            first.copied().unwrap_or_default(),
            second.ok().map(|at| self.second[at].1),
        )
    }

    /// All of them: of each request, and of each second one.
    pub fn all(&self) -> impl Iterator<Item = Outcome> + '_ {
        let second = self.second.iter().map(|(_, outcome)| *outcome);
        self.first.iter().copied().chain(second)
    }

    pub(super) fn begin(&mut self, number: u64, copy: usize) {
        match copy {
            0 => {
                self.first.resize(number as usize, Outcome::NeverSent);
                self.first.push(Outcome::InFlight);
            }
            _ => self.second.push((number, Outcome::InFlight)),
        }
    }

    pub(super) fn end(&mut self, number: u64, copy: usize, outcome: Outcome) {
        if copy == 0 {
            self.first[number as usize] = outcome;
            return;
        }
        let found = self
            .second
            .binary_search_by_key(&number, |(number, _)| *number);
        if let Ok(at) = found {
            self.second[at].1 = outcome;
        }
    }
}
