//! Single values: texts, numbers, ranges, words, patterns.

use std::{cell::RefCell, ops::RangeInclusive, time::Duration};

use schedule::parse_duration;

use crate::{
    Count, DoubleRange, DurationRange, Error, Position, Text,
    expectation::anchored,
    range, word,
    yaml::{Bare, Data, Node},
};

/// The file that is read, for its errors.
pub(super) struct Doc<'a> {
    file: &'a str,
    text: &'a str,
    /// Whether it speaks of the shop, whose services and names are known.
    pub(super) of_shop: bool,
    /// What is wrong and does not keep the rest from being read.
    complaints: RefCell<Vec<Error>>,
}

// === impl Doc ===

impl<'a> Doc<'a> {
    pub(super) fn new(file: &'a str, text: &'a str, of_shop: bool) -> Self {
        Doc {
            file,
            text,
            of_shop,
            complaints: RefCell::default(),
        }
    }

    /// Notes what is wrong, and reading goes on.
    pub(super) fn complain(&self, error: Error) {
        self.complaints.borrow_mut().push(error);
    }

    /// What was noted, in the order of the file.
    pub(super) fn complaints(&self) -> Vec<Error> {
        let mut complaints = self.complaints.take();
        complaints.sort_by_key(|error| error.position);
        complaints
    }

    /// Complains of what the lab itself writes on spans: an expectation that reads it proves nothing.
    pub(super) fn not_of_the_lab(&self, at: Position, word: &str) {
        if word.starts_with("lab.") {
            let message = format!("{word:?} is the lab's own mark, and no expectation may read it");
            self.complain(self.error(at, message));
        }
    }

    /// An error at a place of the file.
    pub(super) fn error(&self, at: Position, message: impl Into<String>) -> Error {
        Error::at(self.file, self.text, at, message.into())
    }

    /// An error at a node: what should be there, and what is.
    pub(super) fn wanted(&self, node: &Node, want: &str) -> Error {
        self.error(
            node.at,
            format!(
                "{want} should be here, and this is {}",
                node.data.describe()
            ),
        )
    }

    /// A text. Empty only where the quotes say so.
    pub(super) fn text<'n>(&self, node: &'n Node) -> Result<&'n str, Error> {
        match &node.data {
            Data::Text(text, _) => Ok(text),
            _ => Err(self
                .wanted(node, "a text")
                .with_hint("write it in quotes to make it a text")),
        }
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(
        &self,
        node: &Node,
        what: &str,
        words: &[(&str, T)],
    ) -> Result<T, Error> {
        let text = self.text(node)?;
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(*value),
            None => Err(self
                .error(node.at, format!("unknown {what} {text:?}"))
                .with_hint(word::suggest(text, words.iter().map(|(word, _)| *word)))),
        }
    }

    /// A boolean.
    pub(super) fn boolean(&self, node: &Node) -> Result<bool, Error> {
        match node.data {
            Data::Bool(truth) => Ok(truth),
            _ => Err(self.wanted(node, "true or false")),
        }
    }

    /// An integer within bounds.
    pub(super) fn integer<T: TryFrom<i64>>(
        &self,
        node: &Node,
        within: RangeInclusive<i64>,
    ) -> Result<T, Error> {
        let want = || format!("an integer from {} to {}", within.start(), within.end());
        match node.data {
            Data::Int(number) if within.contains(&number) => {
                T::try_from(number).map_err(|_| self.wanted(node, &want()))
            }
            _ => Err(self.wanted(node, &want())),
        }
    }

    /// A list.
    pub(super) fn list<'n>(&self, node: &'n Node) -> Result<&'n [Node], Error> {
        match &node.data {
            Data::List(items) => Ok(items),
            _ => Err(self.wanted(node, "a list")),
        }
    }

    /// A text or, with a `~` before it, a pattern.
    pub(super) fn text_or_pattern(&self, node: &Node) -> Result<Text, Error> {
        let text = self.text(node)?;
        match text.strip_prefix('~') {
            Some(pattern) => Ok(Text::Matches(self.pattern(node.at, pattern)?.into())),
            None if text.is_empty() => Err(self.error(node.at, "the text is empty")),
            None => Ok(Text::Exactly(text.to_owned())),
        }
    }

    /// A regular expression, anchored at both ends.
    pub(super) fn pattern(&self, at: Position, pattern: &str) -> Result<regex::Regex, Error> {
        anchored(pattern).map_err(|error| {
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            self.error(
                at,
                format!("{pattern:?} is no regular expression: {reason}"),
            )
        })
    }

    /// `n`, `a..b`, `a..` or `..b`, of numbers from 0.
    pub(super) fn count(&self, node: &Node) -> Result<Count, Error> {
        let want = "a count such as 3, 1..3, 1.. or ..3";
        let number = |text: &str| text.parse::<u64>().map_err(|_| self.wanted(node, want));
        match &node.data {
            Data::Int(count) => match u64::try_from(*count) {
                Ok(count) => Ok(Count::exactly(count)),
                Err(_) => Err(self.wanted(node, want)),
            },
            Data::Text(text, Bare::Yes) => {
                let (min, max) = range::split(text).ok_or_else(|| self.wanted(node, want))?;
                let min = min.map(number).transpose()?.unwrap_or(0);
                let max = max.map(number).transpose()?;
                self.ordered(node, &min, &max.unwrap_or(u64::MAX))?;
                Ok(Count { min, max })
            }
            _ => Err(self.wanted(node, want)),
        }
    }

    /// A duration such as `5s`.
    pub(super) fn duration(&self, node: &Node) -> Result<Duration, Error> {
        let text = match &node.data {
            Data::Text(text, _) => parse_duration(text).ok(),
            _ => None,
        };
        text.ok_or_else(|| self.wanted(node, "a duration such as 800ms, 5s, 2m or 1h"))
    }

    /// `"<= 800ms"`, `"< 1s"`, `">= 20ms"`, `"> 0ms"` or `20ms..30ms`.
    pub(super) fn duration_range(&self, node: &Node) -> Result<DurationRange, Error> {
        let want = "a range of durations such as \"<= 800ms\", \">= 20ms\" or 20ms..30ms";
        let wanted = || self.wanted(node, want);
        let Data::Text(text, _) = &node.data else {
            return Err(wanted());
        };
        let end = |text: &str| parse_duration(text).map_err(|_| wanted());
        let tick = Duration::from_nanos(1);
        let (min, max) = if let Some(text) = text.strip_prefix("<=") {
            (Duration::ZERO, end(text)?)
        } else if let Some(text) = text.strip_prefix(">=") {
            (end(text)?, Duration::MAX)
        } else if let Some(text) = text.strip_prefix('<') {
            let max = end(text)?.checked_sub(tick);
            (
                Duration::ZERO,
                max.ok_or_else(|| self.error(node.at, "nothing is shorter than 0"))?,
            )
        } else if let Some(text) = text.strip_prefix('>') {
            (end(text)?.saturating_add(tick), Duration::MAX)
        } else {
            let (min, max) = range::split(text).ok_or_else(wanted)?;
            let min = min.map(end).transpose()?.unwrap_or(Duration::ZERO);
            (min, max.map(end).transpose()?.unwrap_or(Duration::MAX))
        };
        self.ordered(node, &min, &max)?;
        Ok(DurationRange { min, max })
    }

    /// `>= 50%` or `40%..60%`: a share, as a fraction.
    pub(super) fn share(&self, node: &Node, text: &str) -> Result<DoubleRange, Error> {
        let want = "a share such as \">= 60%\", \"< 10%\" or 40%..60%";
        let range = self.scaled(node, text, "%", want)?;
        Ok(DoubleRange {
            min: range.min / 100.0,
            max: range.max / 100.0,
        })
    }

    /// `>= 3x` or `2x..5x`: a multiple.
    pub(super) fn factor(&self, node: &Node, text: &str) -> Result<DoubleRange, Error> {
        let want = "a multiple such as \">= 3x twin\", \"< 1.5x twin\" or \"2x..5x twin\"";
        self.scaled(node, text, "x", want)
    }

    fn scaled(
        &self,
        node: &Node,
        text: &str,
        unit: &str,
        want: &str,
    ) -> Result<DoubleRange, Error> {
        let text = text.trim();
        let wanted = || self.wanted(node, want);
        let end = |text: &str| {
            let number = text.trim().strip_suffix(unit).ok_or_else(wanted)?;
            let number: f64 = number.trim().parse().map_err(|_| wanted())?;
            match number.is_finite() && number >= 0.0 {
                true => Ok(number),
                false => Err(wanted()),
            }
        };
        let (min, max) = if let Some(text) = text.strip_prefix("<=") {
            (0.0, end(text)?)
        } else if let Some(text) = text.strip_prefix(">=") {
            (end(text)?, f64::INFINITY)
        } else if let Some(text) = text.strip_prefix('<') {
            (0.0, end(text)?.next_down())
        } else if let Some(text) = text.strip_prefix('>') {
            (end(text)?.next_up(), f64::INFINITY)
        } else {
            let (min, max) = range::split(text).ok_or_else(wanted)?;
            let min = min.map(end).transpose()?.unwrap_or(0.0);
            (min, max.map(end).transpose()?.unwrap_or(f64::INFINITY))
        };
        self.ordered(node, &min, &max)?;
        Ok(DoubleRange { min, max })
    }

    /// Refuses a range that nothing can be in.
    pub(super) fn ordered<T: PartialOrd>(
        &self,
        node: &Node,
        min: &T,
        max: &T,
    ) -> Result<(), Error> {
        // Not `min > max`: a NaN at an end makes a range that nothing is in.
        if min <= max {
            return Ok(());
        }
        Err(self.error(node.at, "nothing is in this range: it begins after its end"))
    }
}
