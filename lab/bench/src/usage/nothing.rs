//! [`Tree`] where the system does not show the processes as Linux does: none is available.

use super::{Cpu, Scope};

/// Never made.
#[derive(Debug)]
pub(super) struct Tree(());

/// Whether a process is there.
pub(super) fn lives(pid: u32) -> bool {
    process::signals::is_there(pid)
}

/// Whether a process group has a process.
pub(super) fn group_lives(leader: u32) -> bool {
    process::signals::group_is_there(leader)
}

// === impl Tree ===

impl Tree {
    pub(super) fn of(_pid: u32, _scope: Scope) -> Option<Tree> {
        None
    }

    pub(super) fn look(&mut self) -> Option<()> {
        None
    }

    pub(super) fn cpu(&self) -> Option<Cpu> {
        None
    }

    pub(super) fn memory(&self) -> u64 {
        0
    }

    pub(super) fn throttled(&self) -> u64 {
        0
    }
}
