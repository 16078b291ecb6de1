//! Waits for locks and for connections.

use super::search::{Word, Words};

/// The resource that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// A lock.
    Lock,
    /// A connection of a pool.
    Connection,
}

/// A wait, in one trace.
#[derive(Clone, Copy)]
pub(crate) struct Wait {
    pub(crate) what: For,
    pub(crate) place: usize,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// A long gap before a span: the places of the trace, of the span and of its parent, and the start of the gap
/// in nanoseconds since the Unix epoch.
pub(crate) type Gap = (usize, usize, usize, u64);

// === impl For ===

impl For {
    /// The resource that a span waits for, by its name.
    pub(crate) fn of(name: &str) -> Option<For> {
        let (lock, pool) = (LOCKS.is_in(name), POOLS.is_in(name));
        if !lock && !pool {
            return None;
        }
        let name = name.to_ascii_lowercase();
        let has = |words: &[Word]| words.iter().any(|word| word.is_in(&name));
        let waits = has(&WAITS);
        if waits && lock && !has(&NO_LOCKS) {
            return Some(For::Lock);
        }
        (pool && (waits || has(&POOL_CALLS))).then_some(For::Connection)
    }
}

static LOCKS: Words = Words::new(&["lock", "mutex", "semaphore", "monitor", "latch"]);

/// Words that contain `lock` and have another meaning.
static NO_LOCKS: [Word; 2] = [Word::new("block"), Word::new("clock")];

static POOLS: Words = Words::new(&["pool", "connection", "datasource"]);

static WAITS: [Word; 8] = [
    Word::new("wait"),
    Word::new("acquire"),
    Word::new("obtain"),
    Word::new("borrow"),
    Word::new("checkout connection"),
    Word::new("getconnection"),
    Word::new("get connection"),
    Word::new("queue for"),
];

/// `pg-pool.connect` of Node, `HikariDataSource.getConnection` of Java, `pool.acquire` of many.
static POOL_CALLS: [Word; 3] = [
    Word::new("pool.connect"),
    Word::new("pool.get"),
    Word::new("pool.checkout"),
];
