//! [`Room`]: the memory for what is received and decoded, shared by all requests.
//!
//! A request takes room for its first bytes when they come, and with the next ones for all that it announces, and for
//! what will be made of them. So a client that is silent takes nothing from the others, and one that does not go on gives
//! its room up when it is wanted. What does not fit waits for a moment, unread, and then is refused.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

/// A bound in bytes; its clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    used: AtomicUsize,
    refusals: AtomicU64,
    /// Wakes one that waits, when there is room again.
    freed: Notify,
}

/// The part of the room that one request has. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    room: Room,
    bytes: usize,
    /// Those of `bytes` that were taken for later.
    ahead: usize,
}

/// There is no room for more bytes now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

// === impl Room ===

impl Room {
    pub(crate) fn new(limit: usize) -> Room {
        Room(Arc::new(Inner {
            limit,
            used: AtomicUsize::new(0),
            refusals: AtomicU64::new(0),
            freed: Notify::new(),
        }))
    }

    /// How often there was no room.
    pub(crate) fn refusals(&self) -> u64 {
        self.0.refusals.load(Ordering::Relaxed)
    }

    /// A share of no bytes.
    pub(crate) fn share(&self) -> Share {
        Share {
            room: self.clone(),
            bytes: 0,
            ahead: 0,
        }
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = self
            .0
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                let used = used.checked_add(bytes)?;
                (used <= self.0.limit).then_some(used)
            });
        taken.is_ok()
    }

    /// Takes so many bytes when they are there. Who had to wait wakes the next one: there may be room for both.
    async fn wait_for(&self, bytes: usize) {
        while !self.take(bytes) {
            self.0.freed.notified().await;
        }
        self.0.freed.notify_one();
    }

    fn refuse(&self) -> NoRoom {
        self.0.refusals.fetch_add(1, Ordering::Relaxed);
        NoRoom
    }

    /// The bytes that all requests have now.
    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }
}

// === impl Share ===

impl Share {
    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// Takes room for more bytes: first of that which was taken ahead.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let ahead = self.ahead.min(bytes);
        let more = bytes - ahead;
        if !self.room.take(more) {
            return Err(self.room.refuse());
        }
        self.ahead -= ahead;
        self.bytes += more;
        Ok(())
    }

    /// Takes room until it is for so many bytes in all. Waits for it, `patience` at most.
    pub(crate) async fn grow_to(&mut self, bytes: usize, patience: Duration) -> Result<(), NoRoom> {
        let more = bytes.saturating_sub(self.bytes);
        if more > self.room.0.limit {
            return Err(self.room.refuse());
        }
        if !self.room.take(more) {
            let come = timeout(patience, self.room.wait_for(more)).await;
            come.map_err(|_| self.room.refuse())?;
        }
        self.bytes += more;
        Ok(())
    }

    /// All but so many bytes was taken ahead.
    pub(crate) fn uses(&mut self, bytes: usize) {
        self.ahead = self.bytes.saturating_sub(bytes);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.room.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_takes_nothing_and_what_is_dropped_comes_back() {
        let room = Room::new(10);
        let (mut first, mut second) = (room.share(), room.share());
        assert_eq!(first.grow(6), Ok(()));
        assert_eq!(second.grow(5), Err(NoRoom));
        assert_eq!(second.grow(4), Ok(()));
        assert_eq!((room.used(), room.refusals()), (10, 1));
        drop(first);
        assert_eq!(room.used(), 4);
        assert_eq!(second.grow(usize::MAX), Err(NoRoom));
        drop(second);
        assert_eq!(room.used(), 0);
    }

    #[test]
    fn what_was_taken_ahead_is_used_first() {
        let room = Room::new(10);
        let mut share = room.share();
        assert_eq!(share.grow(8), Ok(()));
        share.uses(3);
        assert_eq!((share.grow(5), room.used()), (Ok(()), 8));
        assert_eq!((share.grow(2), room.used()), (Ok(()), 10));
        assert_eq!(share.grow(1), Err(NoRoom));
    }

    #[tokio::test]
    async fn who_waits_gets_the_room_that_is_given_back_and_one_after_the_other() {
        const LONG: Duration = Duration::from_secs(60);
        let room = Room::new(10);
        let mut first = room.share();
        assert_eq!(first.grow(10), Ok(()));
        let waiting = [4, 4, 4].map(|bytes| {
            let mut share = room.share();
            tokio::spawn(async move { share.grow_to(bytes, LONG).await.map(|()| share) })
        });
        tokio::task::yield_now().await;
        drop(first);
        let mut got = Vec::new();
        for one in waiting {
            got.push(one.await);
            // Two have room at once, and the third one when one of them is done.
            if got.len() == 2 {
                assert_eq!(room.used(), 8);
                got.pop();
            }
        }
        assert!(got.iter().all(|share| matches!(share, Ok(Ok(_)))));
    }

    #[tokio::test]
    async fn who_waits_for_too_long_or_for_more_than_there_ever_is_gets_none() {
        let room = Room::new(10);
        let (mut first, mut second) = (room.share(), room.share());
        assert_eq!(first.grow(10), Ok(()));
        let patience = Duration::from_millis(1);
        assert_eq!(second.grow_to(1, patience).await, Err(NoRoom));
        let for_ever = Duration::from_secs(u64::MAX >> 10);
        assert_eq!(second.grow_to(11, for_ever).await, Err(NoRoom));
        assert_eq!((room.used(), room.refusals()), (10, 2));
    }
}
