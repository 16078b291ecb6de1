//! [`Dispatcher`]: decides when a user may start a journey.
//!
//! All users draw from one counter, so the number of journeys is exactly as planned, for any number of users.
//! In open load a ticket also says when its journey starts. That instant depends on the ticket's number
//! alone: a slow shop cannot slow down the schedule.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use schedule::{Load, Schedule};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::brake::Brake;

/// The permission to make one journey.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    /// The number of the journey; the first is 0.
    pub(crate) journey: u64,
    /// The planned start. In closed load it is the instant at which a user was free to start.
    pub(crate) planned: Instant,
}

/// The dispatcher of one load.
pub(crate) struct Dispatcher {
    source: Source,
    begun: Instant,
    /// While it is on, the dispatcher gives out no ticket.
    brake: Brake,
    /// The dispatcher gives out no ticket once this is cancelled.
    stop: CancellationToken,
}

enum Source {
    Count { drawn: AtomicU64, of: u64 },
    Until { drawn: AtomicU64, end: Duration },
    At(Box<Mutex<Schedule>>),
}

// === impl Dispatcher ===

impl Dispatcher {
    /// Makes the dispatcher of a load that begins at `begun`, usually now.
    pub(crate) fn new(
        load: &Load,
        seed: u64,
        begun: Instant,
        brake: Brake,
        stop: CancellationToken,
    ) -> Dispatcher {
        let drawn = AtomicU64::new(0);
        let source = match load {
            Load::Closed { requests, .. } => Source::Count {
                drawn,
                of: *requests,
            },
            Load::ClosedFor { duration, .. } => Source::Until {
                drawn,
                end: *duration,
            },
            Load::Open { stages, arrivals } => Source::At(Box::new(Mutex::new(Schedule::new(
                stages.clone(),
                *arrivals,
                seed,
            )))),
        };
        Dispatcher {
            source,
            begun,
            brake,
            stop,
        }
    }

    /// Waits for the next ticket; `None` when there are no more.
    pub(crate) async fn draw(&self) -> Option<Ticket> {
        self.may_start().await?;
        match &self.source {
            Source::Count { drawn, of } => {
                let journey = next_below(drawn, *of)?;
                Some(self.ticket_for_now(journey))
            }
            Source::Until { drawn, end } => {
                if self.begun.elapsed() >= *end {
                    return None;
                }
                let journey = next_below(drawn, u64::MAX)?;
                Some(self.ticket_for_now(journey))
            }
            Source::At(schedule) => {
                let (journey, due) = lock(schedule).next()?;
                let planned = self.begun.checked_add(due)?;
                if planned > Instant::now() {
                    tokio::select! {
                        () = tokio::time::sleep_until(planned) => {}
                        () = self.stop.cancelled() => return None,
                    }
                    self.may_start().await?;
                }
                Some(Ticket { journey, planned })
            }
        }
    }

    /// Waits until the brake is off; `None` if the load was stopped.
    async fn may_start(&self) -> Option<()> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            () = self.brake.is_off() => Some(()),
        }
    }

    /// The tickets of open load that were due by `instant` and that no user has drawn. They count as given
    /// out afterwards.
    pub(crate) fn overdue_at(&self, instant: Instant) -> Vec<Ticket> {
        let Source::At(schedule) = &self.source else {
            return Vec::new();
        };
        let mut schedule = lock(schedule);
        let mut overdue = Vec::new();
        while let Some((journey, due)) = schedule.peek() {
            match self.begun.checked_add(due) {
                Some(planned) if planned <= instant => overdue.push(Ticket { journey, planned }),
                _ => break,
            }
            schedule.next();
        }
        overdue
    }

    fn ticket_for_now(&self, journey: u64) -> Ticket {
        Ticket {
            journey,
            planned: Instant::now(),
        }
    }
}

fn next_below(drawn: &AtomicU64, count: u64) -> Option<u64> {
    drawn
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |drawn| {
            (drawn < count).then_some(drawn + 1)
        })
        .ok()
}

fn lock(schedule: &Mutex<Schedule>) -> parking_lot::MutexGuard<'_, Schedule> {
    schedule.lock()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::{num::NonZeroUsize, sync::Arc};

    use super::*;
    use schedule::Rate;

    fn open(rate: f64, seconds: u64) -> Load {
        Load::steady(Rate::of(rate).unwrap(), Duration::from_secs(seconds))
    }

    #[tokio::test]
    async fn every_journey_is_drawn_once_by_however_many_users() {
        let load = Load::Closed {
            users: NonZeroUsize::MIN,
            requests: 1000,
            ramp: Duration::ZERO,
        };
        let dispatcher = Arc::new(Dispatcher::new(
            &load,
            1,
            Instant::now(),
            Brake::default(),
            CancellationToken::new(),
        ));
        let mut users = tokio::task::JoinSet::new();
        for _ in 0..7 {
            let dispatcher = dispatcher.clone();
            users.spawn(async move {
                let mut mine = Vec::new();
                while let Some(ticket) = dispatcher.draw().await {
                    mine.push(ticket.journey);
                    tokio::task::yield_now().await;
                }
                mine
            });
        }
        let mut all: Vec<u64> = users.join_all().await.concat();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn open_tickets_come_when_they_are_due() {
        let begun = Instant::now();
        let load = Load::steady(Rate::of(200.0).unwrap(), Duration::from_millis(50));
        let dispatcher =
            Dispatcher::new(&load, 1, begun, Brake::default(), CancellationToken::new());
        let mut journeys = 0;
        while let Some(ticket) = dispatcher.draw().await {
            assert_eq!(ticket.journey, journeys);
            let due = Duration::from_millis(5) * ticket.journey as u32;
            assert_eq!(ticket.planned - begun, due);
            assert!(Instant::now() >= ticket.planned);
            journeys += 1;
        }
        assert_eq!(journeys, 10);
    }

    #[tokio::test]
    async fn a_late_user_gets_the_instant_that_was_planned() {
        let begun = Instant::now() - Duration::from_secs(100);
        let dispatcher = Dispatcher::new(
            &open(0.1, 200),
            1,
            begun,
            Brake::default(),
            CancellationToken::new(),
        );
        let ticket = dispatcher.draw().await.unwrap();
        assert_eq!((ticket.journey, ticket.planned), (0, begun));
        let overdue: Vec<u64> = dispatcher
            .overdue_at(begun + Duration::from_secs(35))
            .iter()
            .map(|ticket| ticket.journey)
            .collect();
        assert_eq!(overdue, [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_stop_wakes_who_waits_for_a_turn() {
        let stop = CancellationToken::new();
        let dispatcher = Arc::new(Dispatcher::new(
            &open(0.001, 10_000),
            1,
            Instant::now(),
            Brake::default(),
            stop.clone(),
        ));
        assert!(
            dispatcher.draw().await.is_some(),
            "the first is due at once"
        );
        let waiting = tokio::spawn({
            let dispatcher = dispatcher.clone();
            async move { dispatcher.draw().await.is_none() }
        });
        stop.cancel();
        assert!(waiting.await.unwrap());
        assert!(dispatcher.draw().await.is_none());
    }

    #[tokio::test]
    async fn no_journey_starts_while_the_brake_is_on() {
        let brake = Brake::default();
        let load = Load::Closed {
            users: NonZeroUsize::MIN,
            requests: 2,
            ramp: Duration::ZERO,
        };
        let stop = CancellationToken::new();
        let dispatcher = Dispatcher::new(&load, 1, Instant::now(), brake.clone(), stop.clone());
        assert!(brake.set(true) && !brake.set(true));
        let mut drawn = std::pin::pin!(dispatcher.draw());
        assert!(futures::poll!(&mut drawn).is_pending());
        brake.set(false);
        assert_eq!(drawn.await.unwrap().journey, 0);
        // A load that is stopped does not wait for the brake.
        brake.set(true);
        let mut drawn = std::pin::pin!(dispatcher.draw());
        assert!(futures::poll!(&mut drawn).is_pending());
        stop.cancel();
        assert!(drawn.await.is_none());
    }
}
