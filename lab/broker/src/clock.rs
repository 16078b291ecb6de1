//! Converts between instants of this process and times of day.
//!
//! Within the process time is monotonic; stored times must be times of day.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The time of day at `at`, in milliseconds since the Unix epoch.
pub(crate) fn since_epoch_ms(at: Instant, now: Instant) -> u64 {
    let today = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let then = today + at.saturating_duration_since(now);
    u64::try_from(then.as_millis()).unwrap_or(u64::MAX)
}

/// The instant of a time of day; a time in the past becomes now.
pub(crate) fn instant_of(ms: u64, now: Instant) -> Instant {
    let today = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    now + Duration::from_millis(ms).saturating_sub(today)
}
