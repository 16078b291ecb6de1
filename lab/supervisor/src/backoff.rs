//! How long a child that died is left alone before it is started again.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(5);

/// A child that lived so long was well: its death counts as the first.
const WELL: Duration = Duration::from_secs(10);

/// Doubles from wait to wait, until a child has been well.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

// === impl Backoff ===

impl Backoff {
    pub(crate) fn new() -> Backoff {
        Backoff { next: FIRST }
    }

    /// How long to wait after a child that lived so long.
    pub(crate) fn after(&mut self, lived: Duration) -> Duration {
        if lived >= WELL {
            self.next = FIRST;
        }
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_begin_anew_after_a_good_life() {
        let mut backoff = Backoff::new();
        let waits: Vec<u128> = (0..8)
            .map(|_| backoff.after(Duration::from_secs(1)).as_millis())
            .collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(backoff.after(WELL), FIRST);
        assert_eq!(backoff.after(Duration::ZERO), FIRST * 2);
    }
}
