//! Measures the share of the time in which this process got no CPU: the machine was busy with other
//! processes, or a limit of CPU time stopped all processes of a container.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The time between two checks.
const TICK: Duration = Duration::from_millis(10);

/// The delay from which the machine is the cause, and not the resolution of its timers.
const LATE: Duration = Duration::from_millis(10);

/// The share of the time from which the results of a load say nothing about the load.
const MUCH: f64 = 0.10;

/// Measures until it is dropped, on a separate thread: a task of a busy runtime would be late for other
/// reasons.
#[derive(Debug)]
pub struct StallWatch {
    began: Instant,
    late_ns: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

// === impl StallWatch ===

impl StallWatch {
    /// Starts the measurement.
    pub fn start() -> StallWatch {
        let watch = StallWatch {
            began: Instant::now(),
            late_ns: Arc::default(),
            is_over: Arc::default(),
        };
        let (late_ns, is_over) = (Arc::clone(&watch.late_ns), Arc::clone(&watch.is_over));
        thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let slept = Instant::now();
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the thread is there to sleep, and to notice when it overslept"
                )]
                thread::sleep(TICK);
                let late = slept.elapsed().saturating_sub(TICK);
                if late >= LATE {
                    let late = u64::try_from(late.as_nanos()).unwrap_or(u64::MAX);
                    late_ns.fetch_add(late, Ordering::Relaxed);
                }
            }
        });
        watch
    }

    /// The share of the time in which the process stood still, from 0 to 1; `None` if it is small.
    pub fn stalled(&self) -> Option<f64> {
        let late = self.late_ns.load(Ordering::Relaxed) as f64;
        let share = late / self.began.elapsed().as_nanos().max(1) as f64;
        (share >= MUCH).then_some((share * 100.0).round() / 100.0)
    }
}

impl Drop for StallWatch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_a_share_of_the_time() {
        let watch = StallWatch {
            began: Instant::now()
                .checked_sub(Duration::from_secs(10))
                .expect("the machine is up for longer"),
            late_ns: Arc::new(AtomicU64::new(900_000_000)),
            is_over: Arc::default(),
        };
        assert_eq!(watch.stalled(), None, "9 %");
        watch.late_ns.store(2_500_000_000, Ordering::Relaxed);
        assert_eq!(watch.stalled(), Some(0.25));
    }
}
