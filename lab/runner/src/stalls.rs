//! How much of a time the machine gave this process none: it was busy with others, or a limit of CPU time stopped
//! all processes of a container.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How often it is looked.
const TICK: Duration = Duration::from_millis(10);

/// From this lateness on it is the machine, and not the grain of its timers.
const LATE: Duration = Duration::from_millis(10);

/// From this share of the time on what came of a load says nothing of the load.
const MUCH: f64 = 0.10;

/// Watches until it is dropped, on a thread of its own: that of a busy runtime would be late by itself.
#[derive(Debug)]
pub struct StallWatch {
    began: Instant,
    late_ns: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

// === impl StallWatch ===

impl StallWatch {
    /// Begins to watch.
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

    /// The share of the time in which it stood still, from 0 to 1; `None` if that is not much.
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
