//! Formats counts and times.

/// Formats a count with its noun: `1 span`, `2 spans`. `one` is the singular; the plural adds an `s`.
pub fn plural(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
}

/// Converts nanoseconds to milliseconds, rounded to a microsecond.
pub(crate) fn ms(nanoseconds: u64) -> f64 {
    (nanoseconds as f64 / 1_000.0).round() / 1_000.0
}

/// Formats nanoseconds with a suitable unit: `47 µs`, `20.5 ms`, `505 ms`, `12.0 s`.
pub(crate) fn format_ns(nanoseconds: u64) -> String {
    let ms = nanoseconds as f64 / 1e6;
    if ms >= 9_950.0 {
        format!("{:.1} s", ms / 1_000.0)
    } else if ms >= 99.5 {
        format!("{ms:.0} ms")
    } else if ms >= 0.1 {
        format!("{ms:.1} ms")
    } else {
        format!("{:.0} µs", ms * 1_000.0)
    }
}
