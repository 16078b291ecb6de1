//! [`Living`]: the programs that were started and have not ended, so that a process that must end at once can take
//! them with it.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::signals;

/// A program that this process has started and that must not outlive it. Keep this until it has ended.
#[derive(Debug)]
pub struct Living(u32);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Process,
    Group,
}

static ALL: Mutex<BTreeMap<u32, Kind>> = Mutex::new(BTreeMap::new());

/// Kills every program that lives, with the groups of those that lead one.
pub fn kill_all() {
    for (pid, kind) in &*ALL.lock() {
        match kind {
            Kind::Process => signals::kill(*pid),
            Kind::Group => signals::kill_group(*pid),
        }
    }
}

// === impl Living ===

impl Living {
    /// Notes a process.
    pub fn process(pid: u32) -> Living {
        Living::new(pid, Kind::Process)
    }

    /// Notes a process that leads a process group.
    pub fn group(leader: u32) -> Living {
        Living::new(leader, Kind::Group)
    }

    fn new(pid: u32, kind: Kind) -> Living {
        ALL.lock().insert(pid, kind);
        Living(pid)
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        ALL.lock().remove(&self.0);
    }
}
