//! Sends signals to programs, by process id.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Sends SIGTERM to a process. It is no error if the process has ended already.
pub fn terminate(pid: u32) {
    if let Some(pid) = raw(pid) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// Sends SIGKILL to a process. It is no error if the process has ended already.
pub(crate) fn kill(pid: u32) {
    if let Some(pid) = raw(pid) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Sends SIGKILL to all processes of the group that `leader` leads. It is no error if the group is empty.
pub fn kill_group(leader: u32) {
    if let Some(group) = raw(leader) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

fn raw(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}
