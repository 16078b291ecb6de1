//! [`Tree`]: a process with its descendants, as Linux shows them in `/proc`.

use std::{path::PathBuf, time::Duration};

use nix::{time::ClockId, unistd::Pid};
use procfs::{
    ProcResult,
    process::{Process, Stat, all_processes},
};

use super::{Cpu, Scope, cgroup};

/// A process, and its descendants when it was last looked for them.
#[derive(Debug)]
pub(super) struct Tree {
    root: i32,
    scope: Scope,
    /// The root first.
    members: Vec<i32>,
    /// The files that count the throttling of its cgroup.
    quotas: Vec<PathBuf>,
}

/// The parent and the group of a process.
#[derive(Clone, Copy)]
struct Relation {
    pid: i32,
    parent: i32,
    group: i32,
}

/// Whether a process is there and has not ended.
pub(super) fn lives(pid: u32) -> bool {
    i32::try_from(pid).is_ok_and(|pid| stat(pid).is_some())
}

/// Whether a process group has a process that has not ended.
pub(super) fn group_lives(leader: u32) -> bool {
    let is_member = |process: &Relation| u32::try_from(process.group) == Ok(leader);
    relations().iter().any(is_member)
}

// === impl Tree ===

impl Tree {
    /// `None` if the process has ended.
    pub(super) fn of(pid: u32, scope: Scope) -> Option<Tree> {
        let root = i32::try_from(pid).ok()?;
        let mut tree = Tree {
            root,
            scope,
            members: vec![root],
            quotas: cgroup::quotas(root),
        };
        tree.look()?;
        Some(tree)
    }

    /// Looks for descendants. `None` if the process has ended.
    pub(super) fn look(&mut self) -> Option<()> {
        stat(self.root)?;
        if self.scope == Scope::Tree {
            self.members = members(self.root, &relations());
        }
        Some(())
    }

    /// CPU time and threads of all. `None` if the process has ended.
    pub(super) fn cpu(&self) -> Option<Cpu> {
        let mut sum = Cpu {
            time: Duration::ZERO,
            threads: 0,
        };
        for pid in &self.members {
            let Some(stat) = stat(*pid) else {
                match *pid == self.root {
                    true => return None,
                    false => continue,
                }
            };
            sum.threads += u64::try_from(stat.num_threads).unwrap_or(0);
            sum.time += clock(*pid).unwrap_or_else(|| ticks(stat.utime + stat.stime));
            if self.scope == Scope::Tree {
                let ended = stat.cutime.saturating_add(stat.cstime);
                sum.time += ticks(u64::try_from(ended).unwrap_or(0));
            }
        }
        Some(sum)
    }

    /// The memory of all, in bytes; 0 if all have ended.
    pub(super) fn memory(&self) -> u64 {
        let of_process = |pid: &i32| {
            let pss = process::memory::of_process(u32::try_from(*pid).ok()?);
            pss.or_else(|| Some(stat(*pid)?.rss * procfs::page_size()))
        };
        self.members.iter().filter_map(of_process).sum()
    }

    /// How often the quotas of its cgroup held back what runs in it.
    pub(super) fn throttled(&self) -> u64 {
        self.quotas
            .iter()
            .filter_map(|file| cgroup::throttled(file))
            .sum()
    }
}

/// A process and its descendants, and those of the group that it leads: a descendant whose parent has ended is in no
/// other way known as one.
fn members(root: i32, all: &[Relation]) -> Vec<i32> {
    let mut members = vec![root];
    let leads = all
        .iter()
        .any(|process| process.pid == root && process.group == root);
    if leads {
        let of_group = all
            .iter()
            .filter(|process| process.group == root && process.pid != root);
        members.extend(of_group.map(|process| process.pid));
    }
    let mut seen = 0;
    while let Some(parent) = members.get(seen).copied() {
        seen += 1;
        let children = all.iter().filter(|process| process.parent == parent);
        let new: Vec<i32> = children
            .map(|process| process.pid)
            .filter(|pid| !members.contains(pid))
            .collect();
        members.extend(new);
    }
    members
}

/// All processes of this machine that are seen and have not ended. Linux lists the children of a process too, but only if it was built
/// with CONFIG_PROC_CHILDREN, and not those whose parent has ended.
fn relations() -> Vec<Relation> {
    let Ok(all) = all_processes() else {
        return Vec::new();
    };
    let relation = |process: ProcResult<Process>| {
        let stat = process.ok()?.stat().ok().filter(is_alive)?;
        Some(Relation {
            pid: stat.pid,
            parent: stat.ppid,
            group: stat.pgrp,
        })
    };
    all.filter_map(relation).collect()
}

/// `None` if the process has ended, were it one that its parent has not waited for.
fn stat(pid: i32) -> Option<Stat> {
    Process::new(pid).ok()?.stat().ok().filter(is_alive)
}

fn is_alive(stat: &Stat) -> bool {
    !matches!(stat.state, 'Z' | 'X')
}

/// The CPU time of all threads of a process, those that have ended too: clock_getcpuclockid(3).
fn clock(pid: i32) -> Option<Duration> {
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(pid)).ok()?;
    Some(clock.now().ok()?.into())
}

fn ticks(count: u64) -> Duration {
    let nanos = 1_000_000_000 / procfs::ticks_per_second().max(1);
    Duration::from_nanos(count.saturating_mul(nanos))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn descendants_and_the_group_are_members() {
        let relation = |(pid, parent, group)| Relation { pid, parent, group };
        let all = [
            (1, 0, 1),
            (10, 1, 10),
            (11, 10, 10),
            (12, 11, 12),
            // Its parent has ended.
            (13, 1, 10),
            (14, 13, 14),
            (20, 1, 20),
        ]
        .map(relation);
        let mut found = members(10, &all);
        assert_eq!(found.remove(0), 10);
        found.sort_unstable();
        assert_eq!(found, [11, 12, 13, 14]);
        // It leads no group.
        assert_eq!(members(11, &all), [11, 12]);
    }

    #[test]
    fn the_clock_of_a_process_agrees_with_its_ticks() {
        let own = i32::try_from(std::process::id()).unwrap();
        let stat = stat(own).unwrap();
        let by_ticks = ticks(stat.utime + stat.stime);
        let by_clock = clock(own).unwrap();
        // It was read later, and two counts of ticks are rounded down.
        assert!(by_ticks <= by_clock + ticks(1), "{by_ticks:?} {by_clock:?}");
    }
}
