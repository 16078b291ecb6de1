//! How many journeys start in a second.

use std::{fmt, str::FromStr};

use thiserror::Error;

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

// === impl Rate ===

impl Rate {
    /// A rate above 0 and at most 1,000,000 a second.
    ///
    /// # Errors
    ///
    /// [`RateError::Range`] for any other number.
    pub fn of(per_second: f64) -> Result<Rate, RateError> {
        if per_second > 0.0 && per_second <= MAX_RATE {
            Ok(Rate(per_second))
        } else {
            Err(RateError::Range(per_second))
        }
    }

    /// The rate at which nothing starts, for the beginning or the end of a stage.
    pub const ZERO: Rate = Rate(0.0);

    /// A rate as a stage may begin or end with: also 0.
    ///
    /// # Errors
    ///
    /// [`RateError::Range`] as in [`Rate::of`].
    pub fn in_stage(per_second: f64) -> Result<Rate, RateError> {
        match per_second == 0.0 {
            true => Ok(Rate::ZERO),
            false => Rate::of(per_second),
        }
    }

    /// The number of starts in a second.
    pub fn per_second(self) -> f64 {
        self.0
    }

    /// Reads a rate as a stage may begin or end with: `0`, `0/s`, or what [`Rate::from_str`] reads.
    ///
    /// # Errors
    ///
    /// As in [`Rate::from_str`].
    pub fn parse_in_stage(text: &str) -> Result<Rate, RateError> {
        match text.trim() {
            "0" => Ok(Rate::ZERO),
            text => Rate::in_stage(per_second(text)?),
        }
    }
}

impl FromStr for Rate {
    type Err = RateError;

    /// Reads `5/s`, `300/m` or `0.5/h`.
    fn from_str(text: &str) -> Result<Rate, RateError> {
        Rate::of(per_second(text)?)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

/// A number and a unit, in starts a second.
fn per_second(text: &str) -> Result<f64, RateError> {
    let syntax = || RateError::Syntax(text.to_owned());
    let (number, unit) = text.split_once('/').ok_or_else(syntax)?;
    let number: f64 = number.trim().parse().map_err(|_| syntax())?;
    let seconds = match unit.trim() {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(syntax()),
    };
    Ok(number / seconds)
}

#[cfg(test)]
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
    fn a_stage_may_begin_with_nothing() {
        for none in ["0", "0/s", " 0/m "] {
            assert_eq!(Rate::parse_in_stage(none), Ok(Rate::ZERO), "{none:?}");
        }
        assert_eq!(Rate::parse_in_stage("5/s"), Rate::of(5.0));
        assert!(Rate::parse_in_stage("1e9/s").is_err());
    }
}
