//! Durations as people write them: `800ms`, `1.5s`, `10m`.
//!
//! The grammar is our own and not that of `jiff::SignedDuration`, which also takes `2s ago`, `00:05:00` and `1,5s`, and
//! refuses `.5s`: files and command lines would mean something else than they do.

use std::time::Duration;

use thiserror::Error;

/// A year: the duration of `forever`.
pub const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Why a text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a duration is a number and a unit, such as 800ms, 5s, 2m or 1h")]
pub struct DurationError;

/// Why a text is not the duration of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a time is a number and a unit, such as 90s, 10m or 1h, or forever")]
pub struct LoadDurationError;

/// Reads a decimal number and its unit: `ns`, `us` or `µs`, `ms`, `s`, `m` or `h`. Spaces may stand around both.
///
/// # Errors
///
/// For any other text, such as one with a sign, an exponent or two units, and for what a [`Duration`] cannot hold.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let (number, unit) = split(text).ok_or(DurationError)?;
    if number.contains(|c: char| !c.is_ascii_digit() && c != '.') {
        return Err(DurationError);
    }
    // Whole numbers go through integers, so that 1ns is one nanosecond and not nearly so.
    if let Ok(whole) = number.parse::<u32>() {
        return unit.checked_mul(whole).ok_or(DurationError);
    }
    let number: f64 = number.parse().map_err(|_| DurationError)?;
    Duration::try_from_secs_f64(number * unit.as_secs_f64()).map_err(|_| DurationError)
}

/// Reads how long a load lasts: a whole number of seconds, minutes or hours (`90s`, `10m`, `1h`), at most
/// [`FOREVER`], or `forever`.
///
/// # Errors
///
/// For any other text, and for no time at all.
pub fn parse_load_duration(text: &str) -> Result<Duration, LoadDurationError> {
    if text == "forever" {
        return Ok(FOREVER);
    }
    let (number, unit) = split(text).ok_or(LoadDurationError)?;
    let number: u64 = number.parse().map_err(|_| LoadDurationError)?;
    match number.checked_mul(unit.as_secs()).filter(|&time| time > 0) {
        Some(seconds) => Ok(Duration::from_secs(seconds).min(FOREVER)),
        None => Err(LoadDurationError),
    }
}

/// The number of a duration, and its unit.
fn split(text: &str) -> Option<(&str, Duration)> {
    let text = text.trim();
    let number = text.trim_end_matches(char::is_alphabetic);
    let unit = match &text[number.len()..] {
        "ns" => Duration::from_nanos(1),
        "us" | "µs" => Duration::from_micros(1),
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(3_600),
        _ => return None,
    };
    Some((number.trim_end(), unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        let cases = [
            ("800ms", 800_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("250us", 250_000),
            ("250µs", 250_000),
            ("10ns", 10),
            ("5000000000ns", 5_000_000_000),
            ("2m", 120_000_000_000),
            (" 1 h ", 3_600_000_000_000),
            ("0ms", 0),
        ];
        for (text, ns) in cases {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(ns)), "{text}");
        }
        for text in [
            "",
            "5",
            "s",
            ".s",
            "1d",
            "-1s",
            "+1s",
            "1e3s",
            "1.2.3s",
            "1,5s",
            "infs",
            "NaNs",
            "1h30m",
            "1s ago",
            "00:00:05",
            "99999999999999999999999s",
        ] {
            assert_eq!(parse_duration(text), Err(DurationError), "{text:?}");
        }
    }

    #[test]
    fn a_load_lasts_whole_seconds_or_forever() {
        let cases = [
            ("90s", Duration::from_secs(90)),
            ("10m", Duration::from_secs(600)),
            ("9000h", FOREVER),
            ("forever", FOREVER),
        ];
        for (text, time) in cases {
            assert_eq!(parse_load_duration(text), Ok(time), "{text}");
        }
        for text in [
            "",
            "90",
            "0s",
            "-1s",
            "s",
            "1d",
            "1.5s",
            "500ms",
            "99999999999999999h",
        ] {
            assert_eq!(
                parse_load_duration(text),
                Err(LoadDurationError),
                "{text:?}"
            );
        }
    }
}
