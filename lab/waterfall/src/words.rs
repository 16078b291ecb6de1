//! Text of a fixed width: durations, and names that are escaped, cut and padded.

use std::{borrow::Cow, time::Duration};

use plain::plain;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Formats a duration with three digits and its unit: `155 ms`, `18.3 ms`, `1.25 s`.
pub fn duration(duration: Duration) -> String {
    let ns = duration.as_nanos() as f64;
    let units = [
        ("ns", 1.0),
        ("µs", 1e3),
        ("ms", 1e6),
        ("s", 1e9),
        ("min", 6e10),
        ("h", 3.6e12),
        ("d", 8.64e13),
    ];
    let mut chosen = units[0];
    for unit in units {
        // A time that would round up to the next unit is shown in that unit: 1.00 ms, not 1000 µs.
        if ns >= unit.1 * 0.9995 {
            chosen = unit;
        }
    }
    let (unit, size) = chosen;
    let value = ns / size;
    let digits = match value {
        _ if unit == "ns" => 0,
        _ if value >= 99.95 => 0,
        _ if value >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.digits$} {unit}")
}

/// Formats a round time, with no more digits than necessary: `50 ms`.
pub(super) fn round_time(ns: u64) -> String {
    let units = [("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000)];
    for (unit, size) in units {
        if ns >= size {
            return format!("{} {unit}", ns as f64 / size as f64);
        }
    }
    format!("{ns} ns")
}

/// The width of a text, in columns.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// Cuts the text with an ellipsis if it is wider than `columns`.
pub(super) fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    let text = plain(text);
    if text.width() <= columns {
        return text;
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    let mut cut = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > columns {
            break;
        }
        cut.push(c);
    }
    // Some characters make the character before them wider: U+FE0F makes a sign an emoji.
    while cut.width() + 1 > columns {
        cut.pop();
    }
    cut.push('…');
    Cow::Owned(cut)
}

/// The width of a line of a picture, in columns, without its colour codes.
pub fn width_on_screen(line: &str) -> usize {
    let mut columns = 0;
    let mut parts = line.split("\x1b[");
    columns += width(parts.next().unwrap_or_default());
    // The text before the m is a colour code.
    for part in parts {
        columns += width(part.split_once('m').map_or("", |(_, text)| text));
    }
    columns
}

/// Adds spaces after the text, up to `columns`.
pub(super) fn pad_end(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(text.width())))
}

/// Adds spaces before the text, up to `columns`.
pub(super) fn pad_start(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(text.width())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_fits() {
        assert_eq!(fit("POST /checkout", 8), "POST /c…");
        assert_eq!(fit("POST", 4), "POST");
        for columns in 0..9 {
            let cut = fit("a\u{1f56f}\u{fe0f}b\u{1f56f}\u{fe0f}cdefgh", columns);
            assert!(cut.width() <= columns, "{cut:?} in {columns}");
        }
    }
}
