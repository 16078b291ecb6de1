//! Sends signals to programs, by process id.

use rustix::{
    io::Errno,
    process::{
        Pid, Signal, kill_process, kill_process_group, test_kill_process, test_kill_process_group,
    },
};

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
    signal_group(leader, Signal::KILL);
}

/// Sends SIGTERM to all processes of the group that `leader` leads. It is no error if the group is empty.
pub fn terminate_group(leader: u32) {
    signal_group(leader, Signal::TERM);
}

/// Stops all processes of the group that `leader` leads, until [`resume_group`]. It is no error if the group is empty.
pub fn pause_group(leader: u32) {
    signal_group(leader, Signal::STOP);
}

/// Lets all processes of the group that `leader` leads go on after [`pause_group`].
pub fn resume_group(leader: u32) {
    signal_group(leader, Signal::CONT);
}

/// Stops a process, until [`resume`]. It is no error if the process has ended already.
pub fn pause(pid: u32) {
    if let Some(pid) = raw(pid) {
        let _ = kill_process(pid, Signal::STOP);
    }
}

/// Lets a process go on after [`pause`]. It is no error if the process has ended already.
pub fn resume(pid: u32) {
    if let Some(pid) = raw(pid) {
        let _ = kill_process(pid, Signal::CONT);
    }
}

/// Whether the group that `leader` leads has a process, were it one that has ended and that its parent has not waited
/// for.
pub fn group_is_there(leader: u32) -> bool {
    raw(leader).is_some_and(|group| test_kill_process_group(group) != Err(Errno::SRCH))
}

/// Whether there is a process of this id, were it one that has ended and that its parent has not waited for.
pub fn is_there(pid: u32) -> bool {
    raw(pid).is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

fn signal_group(leader: u32, signal: Signal) {
    if let Some(group) = raw(leader) {
        let _ = kill_process_group(group, signal);
    }
}

fn raw(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}
