//! [`Alarm`]: waits until an instant, more finely than tokio's timer, which counts whole milliseconds.

use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use rustix::{
    fd::OwnedFd,
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    },
};
#[cfg(target_os = "linux")]
use tokio::io::unix::AsyncFd;

/// A timer of the system.
#[derive(Debug)]
pub(crate) struct Alarm {
    #[cfg(target_os = "linux")]
    timer: Option<AsyncFd<OwnedFd>>,
}

// === impl Alarm ===

impl Alarm {
    #[cfg(target_os = "linux")]
    pub(crate) fn new() -> Alarm {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        // Without file descriptors tokio's timer has to do.
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags).ok();
        #[expect(
            unsafe_code,
            reason = "tokio's timer is a millisecond late, which is the latency of a good collector; the descriptor is \
                      owned, and lives as long as it is registered"
        )]
        let register = |timer| unsafe { AsyncFd::register(timer) }.ok();
        Alarm {
            timer: timer.and_then(register),
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new() -> Alarm {
        Alarm {}
    }

    /// Waits until the instant; not at all if it has passed.
    pub(crate) async fn until(&mut self, instant: Instant) {
        let wait = instant.saturating_duration_since(Instant::now());
        if wait > Duration::ZERO && !self.wait(wait).await {
            tokio::time::sleep(wait).await;
        }
    }

    /// Waits with the timer of the system; `false` if there is none.
    #[cfg(target_os = "linux")]
    async fn wait(&mut self, wait: Duration) -> bool {
        let Some(timer) = &self.timer else {
            return false;
        };
        let time = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: Timespec {
                tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(wait.subsec_nanos()),
            },
        };
        if timerfd_settime(timer.get_ref(), TimerfdTimerFlags::empty(), &time).is_err() {
            return false;
        }
        let Ok(mut ready) = timer.readable().await else {
            return false;
        };
        // The next time sets it again; so that it has run out need not be read.
        ready.clear_ready();
        true
    }

    #[cfg(not(target_os = "linux"))]
    async fn wait(&mut self, _wait: Duration) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_waits_until_the_instant_and_again() {
        let mut alarm = Alarm::new();
        for micros in [300, 0, 1500] {
            let instant = Instant::now() + Duration::from_micros(micros);
            alarm.until(instant).await;
            assert!(Instant::now() >= instant);
        }
        // One that was given up does not ring later.
        let far = Instant::now() + Duration::from_secs(3600);
        let given_up = tokio::time::timeout(Duration::from_millis(2), alarm.until(far)).await;
        assert!(given_up.is_err());
        let instant = Instant::now() + Duration::from_millis(1);
        alarm.until(instant).await;
        assert!(Instant::now() >= instant);
    }
}
