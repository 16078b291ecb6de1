//! Percentiles of measured times.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Percentiles of measured times, exact to three digits (HDR histogram).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// The number of measured times.
    pub count: u64,
    /// Half of the times are not longer.
    pub p50: Duration,
    /// Nine in ten times are not longer.
    pub p90: Duration,
    /// Ninety-nine in a hundred times are not longer.
    pub p99: Duration,
    /// Nine hundred and ninety-nine in a thousand times are not longer.
    pub p999: Duration,
    /// The longest time.
    pub max: Duration,
}

/// Collects times, in microseconds.
pub(crate) struct Recorder(Histogram<u64>);

/// The longest time that can be recorded; longer times count as this one.
const LONGEST: Duration = Duration::from_secs(3600);

// === impl Recorder ===

impl Recorder {
    pub(crate) fn new() -> Recorder {
        let histogram = Histogram::new_with_bounds(1, LONGEST.as_micros() as u64, 3)
            .expect("the bounds are in order and three digits are allowed");
        Recorder(histogram)
    }

    pub(crate) fn record(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros);
    }

    /// The percentiles; `None` if nothing was recorded.
    pub(crate) fn latency(&self) -> Option<Latency> {
        let quantile = |q| Duration::from_micros(self.0.value_at_quantile(q));
        (!self.0.is_empty()).then(|| Latency {
            count: self.0.len(),
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: Duration::from_micros(self.0.max()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_to_three_digits() {
        let mut recorder = Recorder::new();
        assert_eq!(recorder.latency(), None);
        for ms in 1..=1000 {
            recorder.record(Duration::from_millis(ms));
        }
        let latency = recorder.latency().expect("a thousand were recorded");
        for (got, want) in [
            (latency.p50, 500),
            (latency.p90, 900),
            (latency.p99, 990),
            (latency.max, 1000),
        ] {
            let got = got.as_secs_f64() * 1000.0;
            assert!((got / f64::from(want) - 1.0).abs() < 0.001, "{got} {want}");
        }
    }
}
