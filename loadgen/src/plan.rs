//! What is to be driven: where, which journey, how much of it.

use std::{fmt, num::NonZeroUsize, str::FromStr, time::Duration};

use reqwest::Url;
use thiserror::Error;

/// What is to be driven.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The checkout service.
    pub target: Url,
    /// What each customer does.
    pub journey: Journey,
    /// How many customers there are, and when they come.
    pub load: Load,
    /// Decides what is bought. Equal seeds fill equal carts, whatever order the journeys run in.
    pub seed: u64,
    /// How long a customer waits: for a reply, and, in open load, for a turn that is overdue.
    pub patience: Duration,
}

/// What one customer does: fill a cart, then check out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Journey {
    /// How many lines the cart has; each is a product of its own.
    pub cart_lines: NonZeroUsize,
    /// Whether the coupon `WELCOME10` is used.
    pub coupon: bool,
}

/// How many customers there are, and when they come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// Closed: each user starts a journey as soon as its last one is over, until all are made.
    Closed {
        /// How many journeys are under way at once.
        users: NonZeroUsize,
        /// How many journeys are made in all: exactly so many, whatever the number of users.
        requests: u64,
    },
    /// Closed, until the time is over. Journeys under way then are finished.
    ClosedFor {
        /// How many journeys are under way at once.
        users: NonZeroUsize,
        /// How long journeys are started.
        duration: Duration,
    },
    /// Open: journeys start at planned instants, however long the ones before them take.
    Open {
        /// How many journeys start in a second.
        rate: Rate,
        /// How long journeys are planned.
        duration: Duration,
    },
}

/// How many journeys start in a second: a positive, finite number.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(f64);

/// Why something is not a rate.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum RateError {
    /// The text is not a number and a unit.
    #[error("{0:?} is no rate: a rate is a number and a unit, such as 5/s, 300/m or 0.5/s")]
    Syntax(String),
    /// The number is zero, negative, infinite or no number, or so large that it means nothing.
    #[error("a rate is more than 0 and at most 1000000 a second, not {0}")]
    Range(f64),
}

/// The highest rate that is taken, in journeys a second. It only keeps the arithmetic sound.
const MAX_RATE: f64 = 1e6;

// === impl Journey ===

impl Default for Journey {
    /// Three lines, no coupon.
    fn default() -> Journey {
        Journey {
            cart_lines: NonZeroUsize::new(3).expect("3 is not 0"),
            coupon: false,
        }
    }
}

// === impl Load ===

impl Load {
    /// How many goose users it takes: as many as journeys may be under way at once.
    ///
    /// For open load that is what two seconds of journeys amount to, within bounds. A shop that is
    /// slower than that makes journeys start late, which their latency shows, since it is counted
    /// from the planned instant.
    pub fn users(&self) -> NonZeroUsize {
        match *self {
            Load::Closed { users, requests } => {
                let useful = usize::try_from(requests).unwrap_or(usize::MAX);
                NonZeroUsize::new(useful).map_or(NonZeroUsize::MIN, |useful| users.min(useful))
            }
            Load::ClosedFor { users, .. } => users,
            Load::Open { rate, .. } => {
                let users = (rate.0 * 2.0).ceil().clamp(16.0, 512.0) as usize;
                NonZeroUsize::new(users).expect("it is at least 16")
            }
        }
    }

    /// How many journeys are planned; `None` if only time limits them.
    pub fn journeys(&self) -> Option<u64> {
        match *self {
            Load::Closed { requests, .. } => Some(requests),
            Load::ClosedFor { .. } => None,
            Load::Open { rate, duration } => Some(rate.times(duration)),
        }
    }
}

// === impl Rate ===

impl Rate {
    /// So many a second.
    pub fn per_second(per_second: f64) -> Result<Rate, RateError> {
        if per_second > 0.0 && per_second <= MAX_RATE {
            Ok(Rate(per_second))
        } else {
            Err(RateError::Range(per_second))
        }
    }

    /// When the `n`th of them is due, from the beginning; the first (0) is due at once.
    pub(crate) fn due(self, n: u64) -> Duration {
        Duration::try_from_secs_f64(n as f64 / self.0).unwrap_or(Duration::MAX)
    }

    /// How many are due before `duration` is over.
    fn times(self, duration: Duration) -> u64 {
        (duration.as_secs_f64() * self.0).ceil() as u64
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Rate, RateError> {
        let syntax = || RateError::Syntax(text.to_owned());
        let (number, unit) = text.split_once('/').ok_or_else(syntax)?;
        let number: f64 = number.trim().parse().map_err(|_| syntax())?;
        let seconds = match unit.trim() {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(syntax()),
        };
        Rate::per_second(number / seconds)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_and_a_unit() {
        assert_eq!("5/s".parse(), Rate::per_second(5.0));
        assert_eq!("300/m".parse(), Rate::per_second(5.0));
        assert_eq!(" 0.5 / s".parse(), Rate::per_second(0.5));
        assert_eq!(
            "5".parse::<Rate>(),
            Err(RateError::Syntax("5".to_owned())),
            "a rate without a unit"
        );
        assert!("5/d".parse::<Rate>().is_err());
        assert!("-1/s".parse::<Rate>().is_err());
        assert!("0/s".parse::<Rate>().is_err());
        assert!("NaN/s".parse::<Rate>().is_err());
        assert!("inf/s".parse::<Rate>().is_err());
    }

    #[test]
    fn an_open_schedule_is_a_function_of_the_sequence() {
        let rate = Rate::per_second(4.0).unwrap();
        assert_eq!(rate.due(0), Duration::ZERO);
        assert_eq!(rate.due(3), Duration::from_millis(750));
        let load = |duration| Load::Open { rate, duration };
        assert_eq!(load(Duration::from_secs(2)).journeys(), Some(8));
        assert_eq!(load(Duration::from_millis(2100)).journeys(), Some(9));
        assert_eq!(load(Duration::ZERO).journeys(), Some(0));
    }

    #[test]
    fn no_more_users_than_journeys_are_started() {
        let load = Load::Closed {
            users: NonZeroUsize::new(50).unwrap(),
            requests: 3,
        };
        assert_eq!(load.users().get(), 3);
    }
}
