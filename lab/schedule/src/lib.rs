//! How many things start, and when: rates, stages, arrivals and loads, with their text forms.
//!
//! Scenarios, the load generator and the command line all say it with these types. Nothing here knows what it is that
//! starts, or waits for an instant: a [`Schedule`] is a function of the stages, the seed and a number.
//!
//! ```
//! use std::time::Duration;
//! use schedule::{Arrivals, Schedule, Stage};
//!
//! let stage: Stage = "2/s:1s".parse().unwrap();
//! let mut schedule = Schedule::new(vec![stage], Arrivals::Constant, 1);
//! assert_eq!(schedule.next(), Some((0, Duration::ZERO)));
//! assert_eq!(schedule.next(), Some((1, Duration::from_millis(500))));
//! assert_eq!(schedule.next(), None);
//! ```
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

mod duration;
mod instants;
mod load;
mod rate;
mod stage;

pub use duration::{
    DurationError, FOREVER, LoadDurationError, parse_duration, parse_load_duration,
};
pub use instants::Schedule;
pub use load::Load;
pub use rate::{Rate, RateError};
pub use stage::{Arrivals, Stage, StageError, total};
