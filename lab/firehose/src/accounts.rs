//! [`Accounts`]: the fate of every planned span.

use std::collections::HashMap;

use crate::{Arrivals, Outcome, Outcomes, Slice, Stream, StreamTrace};

/// The fate of every planned span: each has exactly one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// All that were to be sent.
    pub planned: u64,
    /// No request with it was begun.
    pub never_sent: u64,
    /// Its last answer was a refusal.
    pub refused: u64,
    /// It arrived once.
    pub delivered_once: u64,
    /// It arrived more than once.
    pub duplicated: u64,
    /// It arrived with other content.
    pub corrupted: u64,
    /// It was sent and did not arrive.
    pub lost: u64,
    /// Its request had no outcome when the run ended, and it did not arrive.
    pub in_flight: u64,
    /// The policy of sampling says that it may be left out.
    pub sampled_out: u64,
    /// It was accepted by a receiver that returns nothing.
    pub accepted: u64,
    /// Spans that arrived although no request with them was begun. They are no part of the sum: it is a fault of the
    /// benchmark if there are any.
    pub unsent_arrivals: u64,
    /// What arrived of each kind of trace.
    pub groups: [Group; 4],
}

/// The traces of a kind that were accepted whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// How many.
    pub traces: u64,
    /// Of which all spans arrived.
    pub whole: u64,
    /// Of which some spans arrived, and some did not.
    pub broken: u64,
}

/// What was sent, and what returned.
#[derive(Debug)]
pub struct Books<'a> {
    /// The spans.
    pub stream: &'a Stream,
    /// What was planned of them.
    pub slice: Slice,
    /// Whether only what was begun was planned: the run was as fast as possible, for a time.
    pub is_open_ended: bool,
    /// How each request ended, as each generator noted it.
    pub outcomes: Vec<&'a Outcomes>,
    /// What arrived, in each receiver. None at all if nothing returns.
    pub arrivals: Option<Vec<&'a Arrivals>>,
    /// What may be left out.
    pub policy: Option<Policy>,
}

/// A policy of sampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// All traces with an error are kept.
    pub keeps_errors: bool,
    /// All slow traces are kept.
    pub keeps_slow: bool,
}

/// The number of a kind of trace in [`Accounts::groups`].
pub fn group_of(trace: &StreamTrace) -> usize {
    usize::from(trace.is_error) + 2 * usize::from(trace.is_slow)
}

// === impl Accounts ===

impl Accounts {
    /// Closes the books.
    pub fn close(books: &Books<'_>) -> Accounts {
        let mut accounts = Accounts::default();
        let mut absent: HashMap<u64, bool> = HashMap::new();
        for request in books.slice.first..books.stream.end(&books.slice) {
            let (outcome, mut rejected) = books.outcome(request);
            if outcome == Outcome::NeverSent && books.is_open_ended {
                continue;
            }
            books.stream.slots(request, &books.slice, |slot| {
                accounts.planned += 1;
                let (times, is_corrupted) = books.arrived(slot);
                if times > 0 && outcome == Outcome::NeverSent {
                    accounts.unsent_arrivals += 1;
                }
                let fate = match (times, outcome) {
                    (1.., _) if is_corrupted => &mut accounts.corrupted,
                    (1, _) => &mut accounts.delivered_once,
                    (2.., _) => &mut accounts.duplicated,
                    (0, Outcome::NeverSent) => &mut accounts.never_sent,
                    (0, Outcome::InFlight) => &mut accounts.in_flight,
                    (0, Outcome::Refused | Outcome::Rejected) => &mut accounts.refused,
                    (0, Outcome::Unanswered) => &mut accounts.lost,
                    (0, Outcome::Partial { .. }) if rejected > 0 => {
                        rejected -= 1;
                        &mut accounts.refused
                    }
                    (0, Outcome::Accepted | Outcome::Partial { .. }) => {
                        if books.arrivals.is_none() {
                            &mut accounts.accepted
                        } else if books.may_be_left_out(slot, &mut absent) {
                            &mut accounts.sampled_out
                        } else {
                            &mut accounts.lost
                        }
                    }
                };
                *fate += 1;
            });
        }
        if books.arrivals.is_some() {
            books.group(&mut accounts.groups);
        }
        accounts
    }

    /// Whether each planned span has exactly one fate, and nothing came that was not sent.
    pub fn are_closed(&self) -> bool {
        let fates = [
            self.never_sent,
            self.refused,
            self.delivered_once,
            self.duplicated,
            self.corrupted,
            self.lost,
            self.in_flight,
            self.sampled_out,
            self.accepted,
        ];
        fates.iter().sum::<u64>() == self.planned && self.unsent_arrivals == 0
    }
}

// === impl Books ===

impl Books<'_> {
    /// How a request ended, by the best of all that was noted of it; and how many of its spans were rejected.
    fn outcome(&self, request: u64) -> (Outcome, u32) {
        let of_all = self.outcomes.iter().flat_map(|outcomes| {
            let (first, second) = outcomes.of(request);
            [Some(first), second]
        });
        let best = of_all.flatten().max_by_key(|outcome| match outcome {
            Outcome::NeverSent => 0,
            Outcome::Rejected => 1,
            Outcome::Refused => 2,
            Outcome::InFlight => 3,
            Outcome::Unanswered => 4,
            Outcome::Partial { .. } => 5,
            Outcome::Accepted => 6,
        });
        match best {
            Some(Outcome::Partial { rejected }) => (Outcome::Partial { rejected }, rejected),
            best => (best.unwrap_or_default(), 0),
        }
    }

    /// How often a span came, and whether with other content.
    fn arrived(&self, slot: u64) -> (u8, bool) {
        let all = self.arrivals.iter().flatten();
        all.fold((0, false), |(times, is_corrupted), arrivals| {
            let is_corrupted = is_corrupted || arrivals.is_corrupted(slot);
            (times + arrivals.times(slot), is_corrupted)
        })
    }

    /// Whether the policy allows that the trace of this span is left out, and all of it is.
    fn may_be_left_out(&self, slot: u64, absent: &mut HashMap<u64, bool>) -> bool {
        let Some(policy) = self.policy else {
            return false;
        };
        let trace = self.stream.trace(slot);
        let must_be_kept =
            trace.is_error && policy.keeps_errors || trace.is_slow && policy.keeps_slow;
        // One trace at a time is enough, unless traces are sent in pieces.
        if absent.len() > 100_000 {
            absent.clear();
        }
        !must_be_kept
            && *absent
                .entry(trace.sequence)
                .or_insert_with(|| self.slots_of(&trace).all(|slot| self.arrived(slot).0 == 0))
    }

    fn slots_of(&self, trace: &StreamTrace) -> std::ops::Range<u64> {
        let end = trace.first + trace.spans;
        trace.first.max(self.slice.slots.start)..end.min(self.slice.slots.end)
    }

    /// Counts the traces that were to arrive whole.
    fn group(&self, groups: &mut [Group; 4]) {
        let slots = &self.slice.slots;
        let mut slot = slots.start;
        while slot < slots.end {
            let trace = self.stream.trace(slot);
            slot = trace.first + trace.spans;
            if trace.first < slots.start || slot > slots.end {
                // The slice began or ended in the middle of it.
                continue;
            }
            let slots = self.slots_of(&trace);
            let arrived = slots.filter(|slot| self.arrived(*slot).0 > 0).count() as u64;
            let group = &mut groups[group_of(&trace)];
            group.traces += 1;
            group.whole += u64::from(arrived == trace.spans);
            group.broken += u64::from(arrived > 0 && arrived < trace.spans);
        }
    }
}
