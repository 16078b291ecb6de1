//! Who may start a journey, and when.
//!
//! All users draw from one counter, so exactly as many journeys are made as were planned, whatever
//! the number of users. In open load a ticket also says when its journey is to start, and that is
//! a function of its number alone: a slow shop cannot slow down the schedule.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::plan::{Load, Rate};

/// Leave to make one journey.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    /// The number of the journey; the first is 0.
    pub(crate) journey: u64,
    /// When it was to start. In closed load that is when somebody was free to start it.
    pub(crate) planned: Instant,
}

/// The tickets of one load.
pub(crate) struct Tickets {
    schedule: Schedule,
    begun: Instant,
    drawn: AtomicU64,
    /// No ticket is given out once this is cancelled.
    stop: CancellationToken,
}

enum Schedule {
    Count(u64),
    Until(Duration),
    At { rate: Rate, count: u64 },
}

// === impl Tickets ===

impl Tickets {
    /// The tickets of a load that begins at an instant, mostly now.
    pub(crate) fn new(load: &Load, begun: Instant, stop: CancellationToken) -> Tickets {
        let schedule = match *load {
            Load::Closed { requests, .. } => Schedule::Count(requests),
            Load::ClosedFor { duration, .. } => Schedule::Until(duration),
            Load::Open { rate, .. } => Schedule::At {
                rate,
                count: load.journeys().unwrap_or(u64::MAX),
            },
        };
        Tickets {
            schedule,
            begun,
            drawn: AtomicU64::new(0),
            stop,
        }
    }

    /// The next ticket, when it is time; `None` when there are no more.
    pub(crate) async fn draw(&self) -> Option<Ticket> {
        if self.stop.is_cancelled() {
            return None;
        }
        match self.schedule {
            Schedule::Count(count) => {
                let journey = self.next_below(count)?;
                Some(self.ticket_for_now(journey))
            }
            Schedule::Until(duration) => {
                if self.begun.elapsed() >= duration {
                    return None;
                }
                let journey = self.next_below(u64::MAX)?;
                Some(self.ticket_for_now(journey))
            }
            Schedule::At { rate, count } => {
                let journey = self.next_below(count)?;
                let planned = self.begun.checked_add(rate.due(journey))?;
                if planned > Instant::now() {
                    tokio::select! {
                        () = tokio::time::sleep_until(planned) => {}
                        () = self.stop.cancelled() => return None,
                    }
                }
                Some(Ticket { journey, planned })
            }
        }
    }

    /// The journeys of open load that were due by `instant`, and that nobody came to start.
    pub(crate) fn overdue_at(&self, instant: Instant) -> impl Iterator<Item = Ticket> + use<> {
        let due = match self.schedule {
            Schedule::At { rate, count } => Some((rate, count)),
            Schedule::Count(_) | Schedule::Until(_) => None,
        };
        let (begun, drawn) = (self.begun, self.drawn.load(Ordering::Relaxed));
        due.into_iter().flat_map(move |(rate, count)| {
            (drawn..count).map_while(move |journey| {
                let planned = begun.checked_add(rate.due(journey))?;
                (planned <= instant).then_some(Ticket { journey, planned })
            })
        })
    }

    fn ticket_for_now(&self, journey: u64) -> Ticket {
        Ticket {
            journey,
            planned: Instant::now(),
        }
    }

    fn next_below(&self, count: u64) -> Option<u64> {
        self.drawn
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |drawn| {
                (drawn < count).then_some(drawn + 1)
            })
            .ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::{num::NonZeroUsize, sync::Arc};

    use super::*;

    fn open(rate: f64, seconds: u64) -> Load {
        Load::Open {
            rate: Rate::per_second(rate).unwrap(),
            duration: Duration::from_secs(seconds),
        }
    }

    #[tokio::test]
    async fn every_journey_is_drawn_once_by_however_many_users() {
        let load = Load::Closed {
            users: NonZeroUsize::MIN,
            requests: 1000,
        };
        let tickets = Arc::new(Tickets::new(
            &load,
            Instant::now(),
            CancellationToken::new(),
        ));
        let mut users = tokio::task::JoinSet::new();
        for _ in 0..7 {
            let tickets = tickets.clone();
            users.spawn(async move {
                let mut mine = Vec::new();
                while let Some(ticket) = tickets.draw().await {
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
        let load = Load::Open {
            rate: Rate::per_second(200.0).unwrap(),
            duration: Duration::from_millis(50),
        };
        let tickets = Tickets::new(&load, begun, CancellationToken::new());
        let mut journeys = 0;
        while let Some(ticket) = tickets.draw().await {
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
        let tickets = Tickets::new(&open(0.1, 200), begun, CancellationToken::new());
        let ticket = tickets.draw().await.unwrap();
        assert_eq!((ticket.journey, ticket.planned), (0, begun));
        let overdue: Vec<u64> = tickets
            .overdue_at(begun + Duration::from_secs(35))
            .map(|ticket| ticket.journey)
            .collect();
        assert_eq!(overdue, [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_stop_wakes_who_waits_for_a_turn() {
        let stop = CancellationToken::new();
        let tickets = Arc::new(Tickets::new(
            &open(0.001, 10_000),
            Instant::now(),
            stop.clone(),
        ));
        assert!(tickets.draw().await.is_some(), "the first is due at once");
        let waiting = tokio::spawn({
            let tickets = tickets.clone();
            async move { tickets.draw().await.is_none() }
        });
        stop.cancel();
        assert!(waiting.await.unwrap());
        assert!(tickets.draw().await.is_none());
    }
}
