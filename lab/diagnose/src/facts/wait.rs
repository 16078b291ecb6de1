//! Waits for locks and for connections, as facts of a run.

use super::search::find;

/// What is waited for.
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

/// A gap before a span that is long: trace, span, parent, and where it begins.
pub(crate) type Gap = (usize, usize, usize, u64);

// === impl For ===

impl For {
    /// What a span waits for, by its name.
    pub(crate) fn of(name: &str) -> Option<For> {
        let name = name.to_ascii_lowercase();
        let has = |words: &[&str]| {
            let mut words = words.iter();
            words.any(|word| find(name.as_bytes(), word.as_bytes()).is_some())
        };
        let lock = has(&["lock", "mutex", "semaphore", "monitor", "latch"]);
        let pool = has(&["pool", "connection", "datasource"]);
        if !lock && !pool {
            return None;
        }
        let waits = has(&[
            "wait",
            "acquire",
            "obtain",
            "borrow",
            "checkout connection",
            "getconnection",
            "get connection",
            "queue for",
        ]);
        if waits && lock && !has(&["block", "clock"]) {
            return Some(For::Lock);
        }
        // `pg-pool.connect` of Node, `HikariDataSource.getConnection` of Java, `pool.acquire` of many.
        (pool && (waits || has(&["pool.connect", "pool.get", "pool.checkout"])))
            .then_some(For::Connection)
    }
}
