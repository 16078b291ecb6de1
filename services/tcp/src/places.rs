//! [`Places`]: how many connections there may be, and which of them is closed for a new one.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{open_files, progress::Progress};

/// The highest number of connections of a process, whatever its limit of open files: each costs memory.
const MOST: usize = 8_192;

/// The lowest number, whatever the limit.
const FEWEST: usize = 8;

/// The time without progress after which a connection may be closed for another. A client that has just connected,
/// or has just been answered, is not silent yet.
const RESTED: Duration = Duration::from_millis(50);

/// The time between two looks for a connection to close, while none may be closed.
const LOOK: Duration = Duration::from_millis(20);

/// The places of all connections of a process. Clones share them.
#[derive(Clone, Debug)]
pub struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    holders: HashMap<u64, Holder>,
}

#[derive(Debug)]
struct Holder {
    progress: Arc<Progress>,
    leave: CancellationToken,
}

/// The place of one connection. It is free when this is dropped, after the connection was closed.
#[derive(Debug)]
pub struct Place {
    id: u64,
    places: Places,
    progress: Arc<Progress>,
    leave: CancellationToken,
}

// === impl Places ===

impl Places {
    /// Places for `most` connections.
    pub fn new(most: usize) -> Places {
        Places(Arc::new(Shared {
            most,
            taken: Mutex::default(),
            freed: Notify::new(),
        }))
    }

    /// The places of this process: half as many as the files that it may open, at most 8,192. The other half is for
    /// its own files, and for connections that it opens itself.
    pub fn of_process() -> Places {
        static OF_PROCESS: LazyLock<Places> = LazyLock::new(|| {
            let files = open_files::limit().unwrap_or(usize::MAX);
            Places::new((files / 2).clamp(FEWEST, MOST))
        });
        OF_PROCESS.clone()
    }

    /// Takes a place. When all are taken, the connection that is silent for the longest time is asked to leave; while
    /// all are worked for, this waits.
    pub async fn take(&self) -> Place {
        loop {
            let freed = self.0.freed.notified();
            tokio::pin!(freed);
            // Registered before the places are counted, so that no end of a connection in between is missed.
            freed.as_mut().enable();
            if let Some(place) = self.try_take() {
                return place;
            }
            self.make_room();
            let _ = timeout(LOOK, freed).await;
        }
    }

    /// Asks the connection that is silent for the longest time to leave.
    pub(crate) fn make_room(&self) {
        let taken = self.0.taken.lock();
        let silent = taken.holders.iter().filter_map(|(id, holder)| {
            let silence = holder.progress.silence()?;
            let may_leave = silence >= RESTED && !holder.leave.is_cancelled();
            may_leave.then_some((silence, Reverse(*id), holder))
        });
        // Of those that are equally silent, the one that came first.
        if let Some((_, _, holder)) = silent.max_by_key(|(silence, id, _)| (*silence, *id)) {
            holder.leave.cancel();
        }
    }

    fn try_take(&self) -> Option<Place> {
        let mut taken = self.0.taken.lock();
        if taken.holders.len() >= self.0.most {
            return None;
        }
        let id = taken.next;
        taken.next += 1;
        let (progress, leave) = (Arc::new(Progress::new()), CancellationToken::new());
        let holder = Holder {
            progress: Arc::clone(&progress),
            leave: leave.clone(),
        };
        taken.holders.insert(id, holder);
        Some(Place {
            id,
            places: self.clone(),
            progress,
            leave,
        })
    }
}

// === impl Place ===

impl Place {
    /// What moves on the connection. The holder keeps it up to date.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Waits until the connection must be closed, to make room for another.
    pub async fn lost(&self) {
        self.leave.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.0.taken.lock().holders.remove(&self.id);
        self.places.0.freed.notify_waiters();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_longest_silent_connection_makes_room_and_work_is_never_broken_off() {
        let places = Places::new(2);
        let worked_for = places.take().await;
        worked_for.progress().work();
        let silent = places.take().await;
        let next = tokio::spawn({
            let places = places.clone();
            async move { places.take().await }
        });
        silent.lost().await;
        assert!(!next.is_finished(), "its connection is not closed yet");
        drop(silent);
        let next = next.await.unwrap();

        next.progress().work();
        let mut waiting = Box::pin(places.take());
        assert!(waiting.as_mut().now_or_never().is_none());
        worked_for.progress().rest();
        tokio::select! {
            _ = &mut waiting => panic!("no place is free"),
            () = worked_for.lost() => {}
        }
        drop(worked_for);
        waiting.await;
        assert!(next.lost().now_or_never().is_none());
    }
}
