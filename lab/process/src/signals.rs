//! Signals to programs, by the ids of their processes.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Asks a process to end (SIGTERM). One that has ended already is no error.
pub fn terminate(pid: u32) {
    if let Some(pid) = raw(pid) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// Kills all processes of the group that a process leads (SIGKILL). A group of which none is left is no error.
pub fn kill_group(leader: u32) {
    if let Some(group) = raw(leader) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

fn raw(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}
