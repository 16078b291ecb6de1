//! [`Room`]: the memory for what is received and decoded, shared by all requests.
//!
//! A request takes room for its first bytes when they come, and with the next ones for all that it announces. So a
//! client that is silent takes nothing from the others, and one that does not go on gives its room up when it is
//! wanted. What does not fit is refused before it is read.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// A bound in bytes; its clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    used: AtomicUsize,
    refusals: AtomicU64,
}

/// The part of the room that one request has. It is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    room: Room,
    bytes: usize,
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
        }))
    }

    /// Whether a request of this many bytes would fit now. If not, it counts as refused.
    pub(crate) fn would_fit(&self, bytes: usize) -> bool {
        let fits = self.0.used.load(Ordering::Relaxed).saturating_add(bytes) <= self.0.limit;
        if !fits {
            self.refuse();
        }
        fits
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
        }
    }

    fn refuse(&self) {
        self.0.refusals.fetch_add(1, Ordering::Relaxed);
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

    /// Takes room for more bytes.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let limit = self.room.0.limit;
        let taken = self
            .room
            .0
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|used| *used <= limit)
            });
        if taken.is_err() {
            self.room.refuse();
            return Err(NoRoom);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Takes room until it is for so many bytes in all.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), NoRoom> {
        self.grow(bytes.saturating_sub(self.bytes))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
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
        assert!(!room.would_fit(1));
        drop(first);
        assert_eq!((room.used(), room.would_fit(6)), (4, true));
        assert_eq!(second.grow(usize::MAX), Err(NoRoom));
        drop(second);
        assert_eq!(room.used(), 0);
    }
}
