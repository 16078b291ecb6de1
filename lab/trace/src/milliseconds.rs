//! Times in the form of the lab's JSON documents.

use std::time::Duration;

/// The milliseconds of a duration, with all its nanoseconds: the unit of every `…_ms` in a document.
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_keep_their_nanoseconds() {
        assert_eq!(milliseconds(Duration::from_nanos(12_345_678)), 12.345_678);
        assert_eq!(milliseconds(Duration::from_secs(90)), 90_000.0);
    }
}
