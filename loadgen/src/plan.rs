//! What is to be driven: where, which journey, how much of it.

use std::{
    fmt,
    num::{NonZeroU32, NonZeroUsize},
    str::FromStr,
    time::Duration,
};

use reqwest::Url;
use thiserror::Error;

use crate::schedule;

/// What is to be driven.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The checkout service, or somebody's own service.
    pub target: Url,
    /// What customers do; each does one of these, chosen by seed, number and weight. Never empty.
    pub journeys: Vec<Weighted>,
    /// How many customers there are, and when they come.
    pub load: Load,
    /// Further members of the baggage of every request of a journey; may be empty.
    pub baggage: String,
    /// Decides what is bought, which journey is gone on, and when customers come who come by
    /// chance. Equal seeds fill equal carts, whatever order the journeys run in.
    pub seed: u64,
    /// How long a customer waits: for a reply, and, in open load, for a turn that is overdue.
    pub patience: Duration,
}

/// A journey, and how often it is gone on in comparison with the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighted {
    /// How often.
    pub weight: NonZeroU32,
    /// What is done.
    pub journey: Journey,
}

/// What one customer does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Journey {
    /// Fill a cart, then check out.
    Order(Order),
    /// Requests to somebody's own service, one after another. Each starts a trace of its own.
    Requests(Vec<Request>),
}

/// What is ordered of the shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// How many lines the cart has; each is a product of its own.
    pub cart_lines: NonZeroUsize,
    /// These products, in place of any. Empty: any that the seed chooses.
    pub skus: Vec<String>,
    /// Whether the coupon `WELCOME10` is used.
    pub coupon: bool,
}

/// A request to somebody's own service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// GET, POST, PUT, PATCH, DELETE or HEAD.
    pub method: String,
    /// The path and the query, with a slash at the beginning.
    pub path: String,
    /// Header fields that are sent along.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<String>,
}

/// How many customers there are, and when they come.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// Closed: each user starts a journey as soon as its last one is over, until all are made.
    Closed {
        /// How many journeys are under way at once.
        users: NonZeroUsize,
        /// How many journeys are made in all: exactly so many, whatever the number of users.
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

/// A part of an open load, over which the rate changes evenly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// The rate at its beginning.
    pub from: Rate,
    /// The rate at its end.
    pub to: Rate,
    /// How long it lasts.
    pub duration: Duration,
}

/// How the instants of an open load lie between each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrivals {
    /// Evenly.
    #[default]
    Constant,
    /// By chance, as independent customers come: a Poisson process.
    Poisson,
}

/// How many journeys start in a second: a finite number, positive but at the end of a stage.
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

// === impl Order ===

impl Default for Order {
    /// Three lines, no coupon.
    fn default() -> Order {
        Order {
            cart_lines: NonZeroUsize::new(3).expect("3 is not 0"),
            skus: Vec::new(),
            coupon: false,
        }
    }
}

// === impl Weighted ===

impl From<Journey> for Weighted {
    fn from(journey: Journey) -> Weighted {
        Weighted {
            weight: NonZeroU32::MIN,
            journey,
        }
    }
}

impl From<Order> for Weighted {
    fn from(order: Order) -> Weighted {
        Journey::Order(order).into()
    }
}

// === impl Load ===

impl Load {
    /// An open load at one rate, evenly.
    pub fn steady(rate: Rate, duration: Duration) -> Load {
        let stage = Stage {
            from: rate,
            to: rate,
            duration,
        };
        Load::Open {
            stages: vec![stage],
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
                let rates = stages.iter().flat_map(|stage| [stage.from.0, stage.to.0]);
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
            } => Some(schedule::total(stages).ceil() as u64),
            Load::Open { .. } => None,
        }
    }

    /// How long after the beginning a user comes, of so many.
    pub(crate) fn arrival(&self, user: usize, of: usize) -> Duration {
        match self {
            Load::Closed { ramp, .. } | Load::ClosedFor { ramp, .. } => {
                ramp.mul_f64(user as f64 / of.max(1) as f64)
            }
            Load::Open { .. } => Duration::ZERO,
        }
    }
}

// === impl Rate ===

impl Rate {
    /// So many a second.
    pub fn of(per_second: f64) -> Result<Rate, RateError> {
        if per_second > 0.0 && per_second <= MAX_RATE {
            Ok(Rate(per_second))
        } else {
            Err(RateError::Range(per_second))
        }
    }

    /// None at all, where a stage begins or ends.
    pub const ZERO: Rate = Rate(0.0);

    /// So many a second, or none, as a stage may begin or end.
    pub fn in_stage(per_second: f64) -> Result<Rate, RateError> {
        match per_second == 0.0 {
            true => Ok(Rate::ZERO),
            false => Rate::of(per_second),
        }
    }

    /// How many a second.
    pub fn per_second(self) -> f64 {
        self.0
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
        Rate::of(number / seconds)
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
        assert_eq!("5/s".parse(), Rate::of(5.0));
        assert_eq!("300/m".parse(), Rate::of(5.0));
        assert_eq!(" 0.5 / s".parse(), Rate::of(0.5));
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
}
