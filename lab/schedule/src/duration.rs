//! Durations as people write them.

use std::time::Duration;

use thiserror::Error;

/// A year: the duration of `forever`.
pub const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a time is a number and a unit, such as 90s, 10m or 1h, or forever")]
pub struct DurationError;

/// Reads a whole number of seconds, minutes or hours (`90s`, `10m`, `1h`), or `forever`.
///
/// # Errors
///
/// For any other text, and for no time at all.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    if text == "forever" {
        return Ok(FOREVER);
    }
    let unit = text.chars().last().ok_or(DurationError)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return Err(DurationError),
    };
    let number: u64 = text[..text.len() - unit.len_utf8()]
        .trim()
        .parse()
        .map_err(|_| DurationError)?;
    match number.checked_mul(seconds).filter(|&seconds| seconds > 0) {
        Some(seconds) => Ok(Duration::from_secs(seconds).min(FOREVER)),
        None => Err(DurationError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse_duration("forever"), Ok(FOREVER));
        for text in [
            "",
            "90",
            "0s",
            "-1s",
            "s",
            "1d",
            "1.5s",
            "99999999999999999h",
        ] {
            assert_eq!(parse_duration(text), Err(DurationError), "{text:?}");
        }
    }
}
