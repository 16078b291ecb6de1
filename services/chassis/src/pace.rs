//! [`Pace`]: the only place of the shop that sleeps.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

/// Whether the named steps that a demo cannot do for real, such as a card network, take a fixed
/// simulated time. Faults never sleep; pace is no fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Pace {
    /// The times that the textbook trace shows.
    #[default]
    Textbook,
    /// No simulated time at all: for load and benchmarks.
    None,
}

// === impl Pace ===

impl Pace {
    /// A step that takes so long.
    pub async fn step(self, time: Duration) {
        if self == Pace::Textbook {
            sleep(time).await;
        }
    }

    /// The rest of a step that takes so long in all, the real work since `start` included.
    pub async fn until(self, start: Instant, time: Duration) {
        if self == Pace::Textbook {
            sleep_until(start + time).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    /// Whether a step has to wait at all.
    fn waits(step: impl Future<Output = ()>) -> bool {
        pin!(step)
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    }

    #[tokio::test]
    async fn a_textbook_step_takes_its_time() {
        let start = Instant::now();
        Pace::Textbook.step(Duration::from_millis(20)).await;
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert!(waits(Pace::Textbook.step(Duration::from_secs(3600))));
    }

    #[tokio::test]
    async fn real_work_counts_towards_a_step() {
        let start = Instant::now();
        Pace::Textbook.step(Duration::from_millis(20)).await;
        assert!(!waits(
            Pace::Textbook.until(start, Duration::from_millis(10))
        ));
        assert!(waits(
            Pace::Textbook.until(start, Duration::from_secs(3600))
        ));
    }

    #[tokio::test]
    async fn without_pace_nothing_waits() {
        assert!(!waits(Pace::None.step(Duration::from_secs(3600))));
        assert!(!waits(
            Pace::None.until(Instant::now(), Duration::from_secs(3600))
        ));
    }
}
