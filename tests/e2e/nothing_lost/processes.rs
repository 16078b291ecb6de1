//! Processes and their descendants.

use std::{collections::HashMap, fs};

use rustix::process::{Pid, Signal, kill_process};

/// A process and all its descendants.
pub(super) fn family(of: Pid) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        // The name of the process, in brackets, may contain any character.
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<i32>().ok());
        children.entry(parent.unwrap_or(0)).or_default().push(pid);
    }
    let mut family = vec![of.as_raw_nonzero().get()];
    let mut at = 0;
    while at < family.len() {
        family.extend(children.get(&family[at]).into_iter().flatten());
        at += 1;
    }
    family.into_iter().filter_map(Pid::from_raw).collect()
}

/// Sends a signal to a process and all its descendants.
pub(super) fn signal(of: Pid, signal: Signal) {
    for pid in family(of) {
        // The process may have ended since.
        let _ = kill_process(pid, signal);
    }
}
