//! Ranges as the file writes them: `3`, `1..3`, `1..`, `..3`, both ends included.

use std::{fmt, time::Duration};

/// How many there must be, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The least number.
    pub min: u64,
    /// The greatest number, if there is a bound.
    pub max: Option<u64>,
}

/// A range of integers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntRange {
    /// The least.
    pub min: i64,
    /// The greatest.
    pub max: i64,
}

/// A range of doubles, both ends included. A NaN is in none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DoubleRange {
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

/// A range of durations, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationRange {
    /// The shortest.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
}

// === impl Count ===

impl Count {
    /// Exactly one.
    pub const ONE: Count = Count::exactly(1);

    /// Exactly this number.
    pub const fn exactly(count: u64) -> Self {
        Count {
            min: count,
            max: Some(count),
        }
    }

    /// Whether a number is in the range.
    pub fn contains(self, count: u64) -> bool {
        count >= self.min && self.max.is_none_or(|max| count <= max)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.max {
            Some(max) if max == self.min => write!(f, "{max}"),
            Some(max) => write!(f, "{}..{max}", self.min),
            None => write!(f, "{}..", self.min),
        }
    }
}

// === impl IntRange ===

impl IntRange {
    /// Whether a number is in the range.
    pub fn contains(self, number: i64) -> bool {
        (self.min..=self.max).contains(&number)
    }
}

impl fmt::Display for IntRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let min = (self.min > i64::MIN).then_some(self.min);
        let max = (self.max < i64::MAX).then_some(self.max);
        ends(f, min, max)
    }
}

// === impl DoubleRange ===

impl DoubleRange {
    /// Whether a number is in the range.
    pub fn contains(self, number: f64) -> bool {
        (self.min..=self.max).contains(&number)
    }
}

impl fmt::Display for DoubleRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let min = (self.min > f64::NEG_INFINITY).then_some(self.min);
        let max = (self.max < f64::INFINITY).then_some(self.max);
        ends(f, min, max)
    }
}

// === impl DurationRange ===

impl DurationRange {
    /// Whether a duration is in the range.
    pub fn contains(self, duration: Duration) -> bool {
        (self.min..=self.max).contains(&duration)
    }
}

impl fmt::Display for DurationRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (min, Duration::MAX) => write!(f, ">= {min:?}"),
            (Duration::ZERO, max) => write!(f, "<= {max:?}"),
            (min, max) => write!(f, "{min:?}..{max:?}"),
        }
    }
}

fn ends<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    min: Option<T>,
    max: Option<T>,
) -> fmt::Result {
    if let Some(min) = min {
        write!(f, "{min}")?;
    }
    f.write_str("..")?;
    if let Some(max) = max {
        write!(f, "{max}")?;
    }
    Ok(())
}

/// Both ends of `a..b`, `a..` or `..b`, as texts; `None` if the text is no range.
pub(crate) fn split(text: &str) -> Option<(Option<&str>, Option<&str>)> {
    let (from, to) = text.split_once("..")?;
    let end = |text: &'_ str| !text.is_empty();
    let (from, to) = (from.trim(), to.trim());
    (end(from) || end(to)).then_some((Some(from).filter(|t| end(t)), Some(to).filter(|t| end(t))))
}
