//! [`Digest`]: what a long phase keeps of the requests that were judged while it ran. The others are forgotten.

use std::{collections::HashMap, time::Duration};

use collector::Sampling;
use diagnose::Finding;
use expect::Verdict;
use loadgen::{Line, UnixNanos};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use scenario::Position;

use crate::{
    case::Case,
    plan::PhasePlan,
    sampled_out::KeptShare,
    tally::Tally,
    times::{Times, times_of},
    traces::Found,
};

/// The number of requests that are kept for each reason.
const MOST_FAILED: usize = 100;
const MOST_SLOW: usize = 10;
const MOST_OTHERS: usize = 100;

/// What is left of the requests that were judged while a phase ran.
#[derive(Debug, Default)]
pub(crate) struct Digest {
    /// The requests that were forgotten.
    pub(crate) tally: Tally,
    /// How many traces that may be missing were kept.
    pub(crate) share: KeptShare,
    /// The times that the scenario asks for, by the place of the want in its file.
    pub(crate) times: HashMap<Position, Times>,
    /// The start of the first request and the end of the last one.
    pub(crate) window: Option<(UnixNanos, UnixNanos)>,
    /// The findings on the requests that were kept: those are the first ones of the phase's lines.
    pub(crate) findings: Vec<Vec<Finding>>,
    /// Whether the lines of the judged requests were written into the ledger's file.
    pub(crate) written: bool,
    kept: Kept,
}

/// The requests that are kept with their traces.
#[derive(Debug)]
struct Kept {
    /// The first that failed, or may fail when the whole phase is judged.
    failed: Vec<Case>,
    /// The slowest.
    slow: Vec<Case>,
    /// Others, chosen by chance: each request with the same probability.
    others: Vec<Case>,
    seen: usize,
    chance: StdRng,
}

// === impl Digest ===

impl Digest {
    /// Takes the numbers of requests.
    pub(crate) fn measure(
        &mut self,
        plan: PhasePlan<'_>,
        requests: &[(Line, Found)],
        sampling: Option<Sampling>,
    ) {
        for (line, found) in requests {
            self.share.add(plan, line, found, sampling);
            for want in &plan.scenario.latency {
                let times = self.times.entry(want.position).or_default();
                times.extend(times_of(line, found, want));
            }
            let began = line.started.unwrap_or(line.planned);
            let ended = line.ended.unwrap_or_default();
            let (first, last) = self.window.unwrap_or((began, ended));
            self.window = Some((first.min(began), last.max(ended)));
        }
    }

    /// Takes judged requests: keeps some, and counts the others.
    pub(crate) fn take(&mut self, cases: Vec<Case>) {
        for case in cases {
            if let Some(forgotten) = self.kept.take(case) {
                self.tally.add(&forgotten);
            }
        }
    }

    /// The traces of the requests that were kept.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &Case> {
        self.kept.all()
    }

    /// Hands out the requests that were kept, in the order of their starts, and notes their findings.
    pub(crate) fn hand_out(&mut self) -> Vec<(Line, Found)> {
        let kept = std::mem::take(&mut self.kept);
        let mut cases: Vec<Case> = [kept.failed, kept.slow, kept.others].concat();
        cases.sort_by_key(|case| case.line.started.unwrap_or(case.line.planned));
        let mut requests = Vec::with_capacity(cases.len());
        for case in cases {
            self.findings.push(case.findings);
            let found = Found {
                trace: case.trace,
                related: case.related,
                arrival: case.arrival,
                change: 0,
                is_evicted: case.is_evicted,
            };
            requests.push((case.line, found));
        }
        requests
    }
}

// === impl Kept ===

impl Default for Kept {
    fn default() -> Kept {
        Kept {
            failed: Vec::new(),
            slow: Vec::new(),
            others: Vec::new(),
            seen: 0,
            // The choice is the same in each run of the same order.
            chance: StdRng::seed_from_u64(1),
        }
    }
}

impl Kept {
    /// Takes a request; returns the one that is not kept instead.
    fn take(&mut self, case: Case) -> Option<Case> {
        if case.verdict == Verdict::Fail && self.failed.len() < MOST_FAILED {
            self.failed.push(case);
            return None;
        }
        if !case.is_judged() || case.trace.is_none() {
            return Some(case);
        }
        let case = self.slowest(case)?;
        self.seen += 1;
        if self.others.len() < MOST_OTHERS {
            self.others.push(case);
            return None;
        }
        let place = self.chance.random_range(0..self.seen);
        match self.others.get_mut(place) {
            Some(other) => Some(std::mem::replace(other, case)),
            None => Some(case),
        }
    }

    /// Keeps a request if it is one of the slowest; returns the one that is not.
    fn slowest(&mut self, case: Case) -> Option<Case> {
        let latency = |case: &Case| case.line.latency().unwrap_or(Duration::ZERO);
        if self.slow.len() < MOST_SLOW {
            self.slow.push(case);
            return None;
        }
        let fastest = self.slow.iter_mut().min_by_key(|case| latency(case));
        match fastest {
            Some(fastest) if latency(fastest) < latency(&case) => {
                Some(std::mem::replace(fastest, case))
            }
            _ => Some(case),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Case> {
        self.failed.iter().chain(&self.slow).chain(&self.others)
    }
}
