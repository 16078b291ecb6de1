//! Counts the bytes of messages that are half received, and chooses the connection that pays for too many.
//!
//! A half received message holds memory until its publisher has sent the rest, which may be never. So all of
//! them together have a limit of their own: they raise no alarm, and stop no other publisher. Each connection
//! may always hold [`SHARE`] of them. When the limit is passed, the connection that costs the most is closed:
//! the cost of a half received message is its bytes times the time since it began. A publisher that is sending
//! costs little, however large its message; one that has stopped in the middle costs more from second to
//! second.
//!
//! This module must not know what a message is, nor how a connection is closed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The bytes of half received messages for which no connection is closed.
const SHARE: usize = 64 << 10;

/// The half received messages of a broker. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Halves {
    pool: Arc<Mutex<Pool>>,
}

/// The half received messages of one connection.
#[derive(Debug)]
pub(crate) struct Account {
    pool: Arc<Mutex<Pool>>,
    id: u64,
    overdrawn: CancellationToken,
}

/// The bytes of one half received message. They are counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Half {
    pool: Arc<Mutex<Pool>>,
    account: u64,
    id: u64,
}

/// The connection is the one that pays: it must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overdrawn;

#[derive(Debug)]
struct Pool {
    limit: usize,
    /// The bytes of all accounts.
    held: usize,
    last_id: u64,
    /// The accounts of the connections that need not pay.
    accounts: BTreeMap<u64, Holdings>,
}

#[derive(Debug)]
struct Holdings {
    held: usize,
    /// The bytes of each message, and when it began.
    halves: HashMap<u64, (usize, Instant)>,
    overdrawn: CancellationToken,
}

// === impl Halves ===

impl Halves {
    /// All half received messages together may hold `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        let pool = Pool {
            limit,
            held: 0,
            last_id: 0,
            accounts: BTreeMap::new(),
        };
        Self {
            pool: Arc::new(Mutex::new(pool)),
        }
    }

    /// Opens the account of a connection. It is closed when the result is dropped.
    pub(crate) fn open_account(&self) -> Account {
        let overdrawn = CancellationToken::new();
        let holdings = Holdings {
            held: 0,
            halves: HashMap::new(),
            overdrawn: overdrawn.clone(),
        };
        let mut pool = self.pool.lock();
        let id = pool.next_id();
        pool.accounts.insert(id, holdings);
        Account {
            pool: Arc::clone(&self.pool),
            id,
            overdrawn,
        }
    }
}

// === impl Account ===

impl Account {
    /// Counts the first bytes of a message.
    pub(crate) fn begin(&self, bytes: usize) -> Result<Half, Overdrawn> {
        self.begin_at(bytes, Instant::now())
    }

    fn begin_at(&self, bytes: usize, now: Instant) -> Result<Half, Overdrawn> {
        let mut half = Half {
            pool: Arc::clone(&self.pool),
            account: self.id,
            id: self.pool.lock().next_id(),
        };
        half.grow_at(bytes, now)?;
        Ok(half)
    }

    /// Is cancelled when this connection must pay.
    pub(crate) fn overdrawn(&self) -> &CancellationToken {
        &self.overdrawn
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.pool.lock().close(self.id);
    }
}

// === impl Half ===

impl Half {
    /// Counts `bytes` more. If that is too much, the connection that pays may be another one.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Overdrawn> {
        self.grow_at(bytes, Instant::now())
    }

    fn grow_at(&mut self, bytes: usize, now: Instant) -> Result<(), Overdrawn> {
        let mut pool = self.pool.lock();
        let holdings = pool.accounts.get_mut(&self.account).ok_or(Overdrawn)?;
        holdings.held += bytes;
        holdings.halves.entry(self.id).or_insert((0, now)).0 += bytes;
        pool.held += bytes;
        pool.make_room(now);
        if pool.accounts.contains_key(&self.account) {
            Ok(())
        } else {
            Err(Overdrawn)
        }
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        let mut pool = self.pool.lock();
        let Some(holdings) = pool.accounts.get_mut(&self.account) else {
            return;
        };
        if let Some((bytes, _)) = holdings.halves.remove(&self.id) {
            holdings.held -= bytes;
            pool.held -= bytes;
        }
    }
}

// === impl Pool ===

impl Pool {
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Closes accounts until the others fit, or none is left that holds more than its share.
    ///
    /// The bytes of a closed account count no longer, although its connection frees them a moment later: no
    /// other has to pay for them.
    fn make_room(&mut self, now: Instant) {
        while self.held > self.limit {
            let above_share = self.accounts.iter().filter(|(_, it)| it.held > SHARE);
            let Some((&id, _)) = above_share.max_by_key(|(_, it)| (it.cost(now), it.held)) else {
                return;
            };
            if let Some(holdings) = self.close(id) {
                holdings.overdrawn.cancel();
            }
        }
    }

    fn close(&mut self, id: u64) -> Option<Holdings> {
        let holdings = self.accounts.remove(&id)?;
        self.held -= holdings.held;
        Some(holdings)
    }
}

// === impl Holdings ===

impl Holdings {
    /// What its half received messages have cost so far: bytes times microseconds.
    fn cost(&self, now: Instant) -> u128 {
        let costs = self
            .halves
            .values()
            .map(|(bytes, began)| *bytes as u128 * now.duration_since(*began).as_micros());
        costs.sum()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::time::Duration;

    use super::*;

    const KIBI: usize = 1024;

    #[test]
    fn what_stands_still_pays_and_not_the_next_sender() {
        let halves = Halves::new(300 * KIBI);
        let (stalled, small, sender) = (
            halves.open_account(),
            halves.open_account(),
            halves.open_account(),
        );
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut first = stalled.begin_at(90 * KIBI, start).unwrap();
        let mut within_share = small.begin_at(SHARE, start).unwrap();
        // It sends more than the others together, and has just begun.
        let mut large = sender.begin_at(100 * KIBI, after(10)).unwrap();
        large.grow_at(100 * KIBI, after(11)).unwrap();
        assert!(stalled.overdrawn().is_cancelled());
        assert_eq!(first.grow(0), Err(Overdrawn));
        assert!(stalled.begin(1).is_err());
        assert!(!small.overdrawn().is_cancelled() && !sender.overdrawn().is_cancelled());
        within_share.grow(0).unwrap();
    }

    #[test]
    fn a_connection_within_its_share_never_pays() {
        let halves = Halves::new(100 * KIBI);
        let accounts: Vec<_> = (0..4).map(|_| halves.open_account()).collect();
        let start = Instant::now();
        let small: Vec<_> = accounts
            .iter()
            .map(|account| account.begin_at(SHARE, start).unwrap())
            .collect();
        let sender = halves.open_account();
        let hour = start + Duration::from_secs(3600);
        let mut half = sender.begin_at(SHARE, hour).unwrap();
        let grown = half.grow_at(1, hour);
        assert_eq!(grown, Err(Overdrawn), "no other holds more than its share");
        assert!(sender.overdrawn().is_cancelled());
        assert!(!accounts.iter().any(|it| it.overdrawn().is_cancelled()));
        drop(small);
        assert_eq!(halves.pool.lock().held, 0);
    }

    #[test]
    fn what_is_whole_or_gone_is_counted_no_longer() {
        let halves = Halves::new(100 * KIBI);
        let account = halves.open_account();
        for _ in 0..10 {
            let mut whole = account.begin(KIBI).unwrap();
            whole.grow(90 * KIBI).unwrap();
        }
        let rest = account.begin(90 * KIBI).unwrap();
        drop(account);
        assert_eq!(halves.pool.lock().held, 0);
        drop(rest);
        assert_eq!(halves.pool.lock().held, 0);
    }
}
