//! One at a time for each id: a broker may give out a message twice at once, and the second may only
//! look whether the mail was sent when the first has sent it. It knows nothing of mails.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// Whose turn it is, for each id.
#[derive(Debug, Default)]
pub struct Turns {
    taken: Mutex<HashSet<String>>,
    ended: Notify,
}

/// Somebody's turn, until it is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    turns: &'a Turns,
    id: &'a str,
}

// === impl Turns ===

impl Turns {
    /// Waits until nobody else has a turn with this id.
    pub async fn take<'a>(&'a self, id: &'a str) -> Turn<'a> {
        loop {
            // Made before the look, so that a turn that ends in between is noticed.
            let ended = self.ended.notified();
            if self.taken().insert(id.to_owned()) {
                return Turn { turns: self, id };
            }
            ended.await;
        }
    }

    fn taken(&self) -> MutexGuard<'_, HashSet<String>> {
        // A set of strings is whole even if somebody panicked beside it.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Turn ===

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.taken().remove(self.id);
        self.turns.ended.notify_waiters();
    }
}
