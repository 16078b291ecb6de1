//! The stages of an open load.

use std::{str::FromStr, time::Duration};

use thiserror::Error;

use crate::{duration::parse_load_duration, rate::Rate};

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

/// Why a text is no stage.
#[derive(Clone, Debug, PartialEq, Error)]
#[error(
    "{text:?} is no stage: {why}; a stage is RATE:TIME or FROM-TO:TIME, such as 5/s:10s or 5/s-20/s:10s"
)]
pub struct StageError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

// === impl Stage ===

impl Stage {
    /// A stage of one rate.
    pub fn steady(rate: Rate, duration: Duration) -> Stage {
        Stage {
            from: rate,
            to: rate,
            duration,
        }
    }

    /// A stage that begins with nothing and ends at `rate`.
    pub fn ramp(rate: Rate, duration: Duration) -> Stage {
        Stage {
            from: Rate::ZERO,
            ..Stage::steady(rate, duration)
        }
    }
}

impl FromStr for Stage {
    type Err = StageError;

    /// Reads `RATE:TIME` or `FROM-TO:TIME`, such as `5/s:10s` or `0-20/s:1m`.
    fn from_str(text: &str) -> Result<Stage, StageError> {
        let wrong = |why: String| StageError {
            text: text.to_owned(),
            why,
        };
        let (rates, time) = text
            .split_once(':')
            .ok_or_else(|| wrong("it has no time".to_owned()))?;
        let duration = parse_load_duration(time).map_err(|error| wrong(error.to_string()))?;
        let rate = |text| Rate::parse_in_stage(text).map_err(|error| wrong(error.to_string()));
        let (from, to) = rates.split_once('-').unwrap_or((rates, rates));
        Ok(Stage {
            from: rate(from)?,
            to: rate(to)?,
            duration,
        })
    }
}

/// How many journeys are due over all stages, on average where chance decides.
pub fn total(stages: &[Stage]) -> f64 {
    stages.iter().map(|stage| area(*stage)).sum()
}

pub(crate) fn area(stage: Stage) -> f64 {
    let mean = (stage.from.per_second() + stage.to.per_second()) / 2.0;
    mean * stage.duration.as_secs_f64()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_a_rate_and_a_time() {
        let stage: Stage = "0-20/s:1m".parse().unwrap();
        assert_eq!(
            (stage.from, stage.to),
            (Rate::ZERO, Rate::of(20.0).unwrap())
        );
        assert_eq!(stage.duration, Duration::from_secs(60));
        for (text, why) in [
            ("5/s", "it has no time"),
            ("5:1s", "is no rate"),
            ("5/s:1", "a time is"),
        ] {
            let error = text.parse::<Stage>().unwrap_err().to_string();
            assert!(
                error.contains(why) && error.contains("such as 5/s:10s"),
                "{error}"
            );
        }
    }
}
