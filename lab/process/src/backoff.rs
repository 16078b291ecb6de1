//! The wait before a program that died is started again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(5);

/// The waits: each is twice the one before.
const WAITS: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(LONGEST)
    .without_max_times();

/// The lifetime after which a program counts as healthy: its next death counts as the first.
const WELL: Duration = Duration::from_secs(10);

/// The wait before a restart. It doubles from wait to wait, until a program lived for 10 s.
#[derive(Debug)]
pub struct Backoff {
    waits: ExponentialBackoff,
}

// === impl Backoff ===

impl Default for Backoff {
    fn default() -> Backoff {
        let waits = WAITS.build();
        Backoff { waits }
    }
}

impl Backoff {
    /// The wait after a program that lived for `lived`.
    pub fn after(&mut self, lived: Duration) -> Duration {
        if lived >= WELL {
            self.waits = WAITS.build();
        }
        self.waits.next().unwrap_or(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_begin_anew_after_a_good_life() {
        let mut backoff = Backoff::default();
        let mut after = |seconds| backoff.after(Duration::from_secs(seconds)).as_millis();
        let waits: Vec<u128> = (0..8).map(|_| after(1)).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!((after(10), after(0)), (100, 200));
    }
}
