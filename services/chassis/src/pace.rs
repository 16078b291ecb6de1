//! [`Pace`]: the only code in the shop that sleeps.

use std::{future::Future, pin::Pin, thread, time::Duration};

use telemetry::sql::Network;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until};

/// Whether the steps that a demo cannot do for real, such as a card network, take a fixed simulated time.
/// Faults never use it: they have real mechanisms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Pace {
    /// The durations of the textbook trace.
    #[default]
    Textbook,
    /// No simulated time: for load tests and benchmarks.
    None,
}

/// The round-trip time of a statement to a database on another machine of the same data centre.
const ROUND_TRIP: Duration = Duration::from_micros(500);

// === impl Pace ===

impl Pace {
    /// The simulated network between a service and its database; without simulated time there is none.
    pub fn network(self) -> Option<Network> {
        match self {
            Pace::Textbook => Some(round_trip),
            Pace::None => None,
        }
    }

    /// Sleeps for `time` at the textbook pace; returns at once otherwise.
    pub async fn step(self, time: Duration) {
        if self == Pace::Textbook {
            sleep(time).await;
        }
    }

    /// Sleeps until `time` has passed since `start` at the textbook pace, so that real work counts towards
    /// the step; returns at once otherwise.
    pub async fn until(self, start: Instant, time: Duration) {
        if self == Pace::Textbook {
            sleep_until(start + time).await;
        }
    }
}

/// Waits for one round trip. The timer of tokio has a resolution of a millisecond (it takes 1.1 to 2.1 ms
/// for this half of one); a thread that sleeps returns after 0.55 to 0.6 ms.
fn round_trip() -> Pin<Box<dyn Future<Output = ()> + Send>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "it sleeps on a thread for blocking work"
    )]
    let sleep = || thread::sleep(ROUND_TRIP);
    Box::pin(async move {
        // A runtime that is shutting down does not wait.
        let _ = spawn_blocking(sleep).await;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// More than the error of tokio's timer; the paused clock of a test has no other error.
    const TICK: Duration = Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn a_textbook_step_takes_its_time() {
        let start = Instant::now();
        Pace::Textbook.step(HOUR).await;
        assert!((HOUR..HOUR + TICK).contains(&start.elapsed()));
    }

    #[tokio::test(start_paused = true)]
    async fn real_work_counts_towards_a_step() {
        let start = Instant::now();
        // Represents real work of the same duration.
        sleep(HOUR).await;
        Pace::Textbook.until(start, HOUR / 2).await;
        assert!((HOUR..HOUR + TICK).contains(&start.elapsed()));
        Pace::Textbook.until(start, HOUR * 2).await;
        assert!((HOUR * 2..HOUR * 2 + TICK).contains(&start.elapsed()));
    }

    #[tokio::test]
    async fn a_statement_takes_its_round_trip_and_none_without_pace() {
        let network = Pace::Textbook.network().expect("there is one");
        let start = Instant::now();
        network().await;
        assert!(start.elapsed() >= ROUND_TRIP);
        assert!(Pace::None.network().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn without_pace_nothing_waits() {
        let start = Instant::now();
        Pace::None.step(HOUR).await;
        Pace::None.until(start, HOUR).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
