//! When the journeys of an open load are due: a function of the stages, the seed and the number of
//! the journey, and of nothing that happens.
//!
//! The stages give a rate that changes evenly within each; its integral says how many journeys are due
//! by an instant. Evenly spaced, journey `n` is due when the integral reaches `n`. As a Poisson
//! process, it is due when the integral reaches the sum of `n + 1` times that are exponentially
//! distributed with mean 1 (the time-change theorem), so the rate may vary as it likes.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::stage::{Arrivals, Stage, area};

/// When the journeys of an open load are due, one after another.
#[derive(Debug)]
pub struct Schedule {
    stages: Vec<Stage>,
    /// The number of the next journey.
    next: u64,
    chance: Option<Chance>,
}

/// Arrivals by chance.
#[derive(Debug)]
struct Chance {
    rng: StdRng,
    /// Where the integral is when the next journey is due.
    reached: f64,
}

// === impl Schedule ===

impl Schedule {
    /// The schedule of an open load. Chance, where there is some, is decided by `seed`.
    pub fn new(stages: Vec<Stage>, arrivals: Arrivals, seed: u64) -> Schedule {
        let chance = (arrivals == Arrivals::Poisson).then(|| {
            let mut chance = Chance {
                rng: StdRng::seed_from_u64(seed),
                reached: 0.0,
            };
            chance.advance();
            chance
        });
        Schedule {
            stages,
            next: 0,
            chance,
        }
    }

    /// What [`next`](Iterator::next) would answer.
    pub fn peek(&self) -> Option<(u64, Duration)> {
        let reached = match &self.chance {
            Some(chance) => chance.reached,
            None => self.next as f64,
        };
        Some((self.next, when(&self.stages, reached)?))
    }
}

/// The number of each journey, and when it is due from the beginning.
impl Iterator for Schedule {
    type Item = (u64, Duration);

    fn next(&mut self) -> Option<(u64, Duration)> {
        let (journey, due) = self.peek()?;
        self.next += 1;
        if let Some(chance) = &mut self.chance {
            chance.advance();
        }
        Some((journey, due))
    }
}

impl Chance {
    fn advance(&mut self) {
        // A number in [0, 1) taken from 1 is never 0, whose logarithm is infinite.
        let uniform: f64 = 1.0 - self.rng.random::<f64>();
        self.reached -= uniform.ln();
    }
}

/// When the integral of the rate reaches a value; `None` if it never does before the end.
fn when(stages: &[Stage], mut value: f64) -> Option<Duration> {
    let mut begun = Duration::ZERO;
    for &stage in stages {
        let area = area(stage);
        if value < area {
            return begun.checked_add(within(stage, value));
        }
        value -= area;
        begun = begun.checked_add(stage.duration)?;
    }
    None
}

/// When the integral over one stage reaches a value that it does reach.
fn within(stage: Stage, value: f64) -> Duration {
    let (from, to) = (stage.from.per_second(), stage.to.per_second());
    let slope = (to - from) / stage.duration.as_secs_f64();
    let seconds = if slope == 0.0 {
        value / from
    } else {
        // The root of from·t + slope·t²/2 = value that lies in the stage.
        let root = (from * from + 2.0 * slope * value).max(0.0).sqrt();
        2.0 * value / (from + root).max(f64::MIN_POSITIVE)
    };
    Duration::try_from_secs_f64(seconds)
        .unwrap_or(stage.duration)
        .min(stage.duration)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;
    use crate::{rate::Rate, stage::total};

    fn stage(from: f64, to: f64, seconds: u64) -> Stage {
        let rate = |rate: f64| match rate == 0.0 {
            true => Rate::ZERO,
            false => Rate::of(rate).unwrap(),
        };
        Stage {
            from: rate(from),
            to: rate(to),
            duration: Duration::from_secs(seconds),
        }
    }

    fn due(stages: &[Stage], arrivals: Arrivals, seed: u64) -> Vec<f64> {
        let mut schedule = Schedule::new(stages.to_vec(), arrivals, seed);
        std::iter::from_fn(|| schedule.next())
            .map(|(_, due)| due.as_secs_f64())
            .collect()
    }

    #[test]
    fn a_steady_rate_is_evenly_spaced() {
        let due = due(&[stage(4.0, 4.0, 2)], Arrivals::Constant, 1);
        assert_eq!(due, [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75]);
    }

    #[test]
    fn a_ramp_is_the_inverse_of_its_integral() {
        // The integral of 0..10/s over 10 s is t²/2: journey n is due at √(2n).
        let due = due(&[stage(0.0, 10.0, 10)], Arrivals::Constant, 1);
        assert_eq!(due.len(), 50);
        for (n, due) in due.iter().enumerate() {
            let want = (2.0 * n as f64).sqrt();
            assert!((due - want).abs() < 1e-6, "{n}: {due} {want}");
        }
    }

    #[test]
    fn stages_follow_each_other() {
        let stages = [stage(1.0, 1.0, 2), stage(0.0, 0.0, 3), stage(2.0, 2.0, 1)];
        assert_eq!(due(&stages, Arrivals::Constant, 1), [0.0, 1.0, 5.0, 5.5]);
        assert_eq!(total(&stages), 4.0);
    }

    #[test]
    fn a_falling_rate_ends_at_its_end() {
        let due = due(&[stage(10.0, 0.0, 10)], Arrivals::Constant, 1);
        assert_eq!(due.len(), 50);
        assert!(due.windows(2).all(|pair| pair[0] < pair[1]), "{due:?}");
        assert!(*due.last().unwrap() < 10.0);
    }

    #[test]
    fn chance_is_decided_by_the_seed_and_has_the_mean_that_was_asked_for() {
        let stages = [stage(100.0, 100.0, 100)];
        let one = due(&stages, Arrivals::Poisson, 1);
        assert_eq!(one, due(&stages, Arrivals::Poisson, 1));
        assert_ne!(one, due(&stages, Arrivals::Poisson, 2));
        // 10,000 are expected; five standard deviations of a Poisson count are 500.
        assert!((9_500..10_500).contains(&one.len()), "{}", one.len());
        // The variance of the gaps is that of an exponential distribution: mean squared.
        let gaps: Vec<f64> = one.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        let ratio = variance / (mean * mean);
        assert!((0.9..1.1).contains(&ratio), "{ratio}");
    }
}
