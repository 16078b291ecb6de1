//! Counts the bytes of messages, queues, exchanges, bindings and consumers, and raises an alarm at the limit.
//!
//! Messages that are half received are counted apart, in [`crate::halves`].
//!
//! The owner of bytes keeps a [`Reservation`], which releases them when it is dropped; so the count is right in
//! whatever way a message leaves. This module must not know what a message is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

/// The byte count of a broker. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    held: AtomicUsize,
    limit: usize,
    /// True from the moment the limit is passed until less than 80 % of it is used.
    alarm: watch::Sender<bool>,
}

/// Bytes that are counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    inner: Arc<Inner>,
    bytes: usize,
}

// === impl Memory ===

impl Memory {
    pub(crate) fn new(limit: usize) -> Self {
        let inner = Inner {
            held: AtomicUsize::new(0),
            limit,
            alarm: watch::Sender::new(false),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Counts `bytes` until the result is dropped.
    pub(crate) fn hold(&self, bytes: usize) -> Reservation {
        let mut held = Reservation {
            inner: Arc::clone(&self.inner),
            bytes: 0,
        };
        held.grow(bytes);
        held
    }

    /// Whether publishers must wait.
    pub(crate) fn is_short(&self) -> bool {
        *self.inner.alarm.borrow()
    }

    /// Whether the memory is so full that no queue, exchange, binding or consumer can be added.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.inner.held.load(Ordering::Relaxed) > self.inner.limit.saturating_mul(2)
    }

    /// Waits until publishers may continue.
    pub(crate) async fn relieved(&self) {
        let mut alarm = self.inner.alarm.subscribe();
        // It fails only if the sender is gone, and `self` holds the sender.
        let _ = alarm.wait_for(|short| !short).await;
    }
}

// === impl Inner ===

impl Inner {
    /// Sets the alarm by the current count. The count is read under the alarm's own lock, so that of two
    /// threads the later one sets the alarm by the latest count.
    fn review(&self) {
        let low = self.limit / 5 * 4;
        self.alarm.send_if_modified(|short| {
            let held = self.held.load(Ordering::SeqCst);
            let next = if *short {
                held >= low.max(1)
            } else {
                held > self.limit
            };
            std::mem::replace(short, next) != next
        });
    }
}

// === impl Reservation ===

impl Reservation {
    /// Counts `bytes` more.
    pub(crate) fn grow(&mut self, bytes: usize) {
        self.bytes += bytes;
        let held = self.inner.held.fetch_add(bytes, Ordering::SeqCst) + bytes;
        if held > self.inner.limit {
            self.inner.review();
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.inner.held.fetch_sub(self.bytes, Ordering::SeqCst);
        if *self.inner.alarm.borrow() {
            self.inner.review();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarm_rises_above_the_limit_and_falls_below_four_fifths() {
        let memory = Memory::new(100);
        let first = memory.hold(79);
        let second = memory.hold(21);
        assert!(!memory.is_short(), "the limit itself is allowed");
        let third = memory.hold(1);
        assert!(memory.is_short());
        drop(third);
        assert!(memory.is_short(), "100 of 100 is not yet below 80 %");
        drop(second);
        assert!(!memory.is_short());
        drop(first);
    }

    #[test]
    fn a_limit_of_nothing_is_relieved_when_nothing_is_held() {
        let memory = Memory::new(0);
        let held = memory.hold(1);
        assert!(memory.is_short());
        drop(held);
        assert!(!memory.is_short());
    }
}
