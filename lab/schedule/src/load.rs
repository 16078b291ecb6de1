//! A load: how many journeys, and when they start.

use std::{num::NonZeroUsize, time::Duration};

use crate::{
    rate::Rate,
    stage::{Arrivals, Stage, total},
};

/// How many customers there are, and when they come.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// Closed: each user starts a journey as soon as its last one is over, until all are made.
    Closed {
        /// How many journeys are under way at once.
        users: NonZeroUsize,
        /// The exact number of journeys, whatever the number of users.
        requests: u64,
        /// How long it takes until all users have come, evenly.
        ramp: Duration,
    },
    /// Closed, until the time is over. Journeys under way then are finished.
    ClosedFor {
        /// How many journeys are under way at once.
        users: NonZeroUsize,
        /// How long journeys are started.
        duration: Duration,
        /// How long it takes until all users have come, evenly.
        ramp: Duration,
    },
    /// Open: journeys start at planned instants, however long the ones before them take.
    Open {
        /// How the rate changes. Never empty.
        stages: Vec<Stage>,
        /// How the instants lie between each other.
        arrivals: Arrivals,
    },
}

// === impl Load ===

impl Load {
    /// An open load at one rate, evenly.
    pub fn steady(rate: Rate, duration: Duration) -> Load {
        Load::Open {
            stages: vec![Stage::steady(rate, duration)],
            arrivals: Arrivals::Constant,
        }
    }

    /// How many goose users it takes: as many as journeys may be under way at once.
    ///
    /// For open load that is what two seconds of journeys amount to at the highest rate, within
    /// bounds. A shop that is slower than that makes journeys start late, which their latency shows,
    /// since it is counted from the planned instant.
    pub fn users(&self) -> NonZeroUsize {
        match self {
            Load::Closed {
                users, requests, ..
            } => {
                let useful = usize::try_from(*requests).unwrap_or(usize::MAX);
                NonZeroUsize::new(useful).map_or(NonZeroUsize::MIN, |useful| (*users).min(useful))
            }
            Load::ClosedFor { users, .. } => *users,
            Load::Open { stages, .. } => {
                let rates = stages
                    .iter()
                    .flat_map(|stage| [stage.from.per_second(), stage.to.per_second()]);
                let highest = rates.fold(0.0, f64::max);
                let users = (highest * 2.0).ceil().clamp(16.0, 512.0) as usize;
                NonZeroUsize::new(users).expect("it is at least 16")
            }
        }
    }

    /// How many journeys are planned; `None` if only time limits them, or chance decides.
    pub fn journeys(&self) -> Option<u64> {
        match self {
            Load::Closed { requests, .. } => Some(*requests),
            Load::ClosedFor { .. } => None,
            Load::Open {
                stages,
                arrivals: Arrivals::Constant,
            } => Some(total(stages).ceil() as u64),
            Load::Open { .. } => None,
        }
    }

    /// How long after the beginning user number `user` comes, of `of` users.
    pub fn arrival(&self, user: usize, of: usize) -> Duration {
        match self {
            Load::Closed { ramp, .. } | Load::ClosedFor { ramp, .. } => {
                ramp.mul_f64(user as f64 / of.max(1) as f64)
            }
            Load::Open { .. } => Duration::ZERO,
        }
    }

    /// The same load with other `users` or another number of `requests`, where they are given. Users make a closed
    /// load of an open one; requests make the stages of an open load longer or shorter.
    pub fn with(self, users: Option<NonZeroUsize>, requests: Option<u64>) -> Load {
        let closed = |of: NonZeroUsize, ramp| {
            requests.map(|requests| Load::Closed {
                users: users.unwrap_or(of),
                requests,
                ramp,
            })
        };
        match self {
            Load::Closed {
                users: of,
                requests: all,
                ramp,
            } => Load::Closed {
                users: users.unwrap_or(of),
                requests: requests.unwrap_or(all),
                ramp,
            },
            Load::ClosedFor {
                users: of,
                duration,
                ramp,
            } => closed(of, ramp).unwrap_or(Load::ClosedFor {
                users: users.unwrap_or(of),
                duration,
                ramp,
            }),
            Load::Open { stages, arrivals } => match users {
                Some(users) => closed(users, Duration::ZERO).unwrap_or(Load::ClosedFor {
                    users,
                    duration: stages.iter().map(|stage| stage.duration).sum(),
                    ramp: Duration::ZERO,
                }),
                None => Load::Open {
                    stages: match requests {
                        Some(requests) => stretched(&stages, requests),
                        None => stages,
                    },
                    arrivals,
                },
            },
        }
    }
}

/// Stages whose rates are the same, and that amount to `requests`.
fn stretched(stages: &[Stage], requests: u64) -> Vec<Stage> {
    let stretch = requests as f64 / total(stages).max(1e-9);
    let stages = stages.iter();
    stages
        .map(|stage| Stage {
            duration: stage.duration.mul_f64(stretch),
            ..*stage
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn an_open_load_plans_what_its_stages_amount_to() {
        let rate = Rate::of(4.0).unwrap();
        let journeys = |duration| Load::steady(rate, duration).journeys();
        assert_eq!(journeys(Duration::from_secs(2)), Some(8));
        assert_eq!(journeys(Duration::from_millis(2100)), Some(9));
        assert_eq!(journeys(Duration::ZERO), Some(0));
    }

    #[test]
    fn users_come_evenly_over_the_ramp() {
        let load = Load::ClosedFor {
            users: NonZeroUsize::new(4).unwrap(),
            duration: Duration::from_secs(9),
            ramp: Duration::from_secs(2),
        };
        assert_eq!(load.arrival(0, 4), Duration::ZERO);
        assert_eq!(load.arrival(3, 4), Duration::from_millis(1500));
    }

    #[test]
    fn no_more_users_than_journeys_are_started() {
        let load = Load::Closed {
            users: NonZeroUsize::new(50).unwrap(),
            requests: 3,
            ramp: Duration::ZERO,
        };
        assert_eq!(load.users().get(), 3);
    }

    #[test]
    fn what_the_user_asks_for_comes_before_what_the_load_says() {
        let three = NonZeroUsize::new(3);
        let steady = || Load::steady(Rate::of(4.0).unwrap(), Duration::from_secs(2));
        assert_eq!(steady().with(None, None), steady());
        assert_eq!(steady().with(None, Some(16)).journeys(), Some(16));
        assert_eq!(
            steady().with(three, None),
            Load::ClosedFor {
                users: three.unwrap(),
                duration: Duration::from_secs(2),
                ramp: Duration::ZERO
            }
        );
        assert_eq!(steady().with(three, Some(9)).journeys(), Some(9));
    }
}
