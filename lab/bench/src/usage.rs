//! CPU and memory of the parts of a benchmark: of the SUT with all its descendants, and of this process alone.
//!
//! **CPU** is what the clock of each process says, to the nanosecond and with its threads that have ended; where the
//! system has no such clock, it is in ticks of 10 ms. That of children which have ended comes in those ticks in any
//! case, and only if their parent waited for them. **Memory** is the proportional set size (PSS), where pages that
//! processes share count once; it is resident memory where the system has no PSS, or does not show that of another
//! user's process.
//!
//! Measured: the CPU of a process is read in 15 µs; the PSS takes 9 ms for one of 300 MB in pages of 4 kB, and a look for
//! new descendants 1 ms on a machine with 70 processes, on the core of the reader. So read the CPU ten times a second, and
//! the rest once.
//!
//! Linux alone shows all that. Elsewhere each function says that it is not available, by `None`.

use std::time::{Duration, Instant};

use crate::document::Used;

#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod tree;

#[cfg(not(target_os = "linux"))]
#[path = "usage/nothing.rs"]
mod tree;

use self::tree::Tree;

/// CPU and memory of processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The CPU time of all their threads since they began.
    pub cpu: Duration,
    /// Their memory.
    pub memory_bytes: u64,
    /// How many threads they have.
    pub threads: u64,
    /// How often the quota of their cgroup, or of one above it, has held back what runs in it; 0 where there is none.
    pub throttled: u64,
}

/// What is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// A process with all its descendants, and all of the process group that it leads.
    Tree,
    /// A process without its children.
    Alone,
}

/// Measures a part of the benchmark from when this is made.
#[derive(Debug)]
pub struct Meter {
    scope: Scope,
    tree: Option<Tree>,
    /// CPU time and throttling of the processes before a restart, since the meter began.
    carried: (Duration, u64),
    /// What the processes had used when the meter began, or when they began if that was later.
    base: (Duration, u64),
    last: Reading,
    /// Before `last`.
    at_load_end: Option<Duration>,
    peak_bytes: u64,
    peak_threads: u64,
}

/// What a [`Meter`] shows.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// When it was read.
    pub at: Instant,
    /// CPU time since the meter began.
    pub cpu: Duration,
    /// CPU time by time since the reading before, of one core.
    pub cpu_share: f64,
    /// The memory when it was last read.
    pub memory_bytes: u64,
    /// How many threads there are.
    pub threads: u64,
    /// How often a quota held them back since the meter began, when that was last read.
    pub throttled: u64,
}

/// What a process and all its descendants have used; `None` if it has ended, or that is not available.
pub fn of_tree(pid: u32) -> Option<Usage> {
    let tree = Tree::of(pid, Scope::Tree)?;
    let cpu = tree.cpu()?;
    Some(Usage {
        cpu: cpu.time,
        memory_bytes: tree.memory(),
        threads: cpu.threads,
        throttled: tree.throttled(),
    })
}

/// Whether a process is there and has not ended.
pub fn lives(pid: u32) -> bool {
    tree::lives(pid)
}

/// Whether the process group that `leader` leads has a process that has not ended.
pub fn group_lives(leader: u32) -> bool {
    // The first is quick. A process that has ended stays in its group until its parent waits for it, perhaps for ever.
    process::signals::group_is_there(leader) && tree::group_lives(leader)
}

/// CPU time and threads.
#[derive(Clone, Copy, Debug)]
struct Cpu {
    time: Duration,
    threads: u64,
}

// === impl Meter ===

impl Meter {
    /// Measures a process and all its descendants; `None` if it has ended, or that is not available.
    pub fn of_tree(pid: u32) -> Option<Meter> {
        Meter::new(pid, Scope::Tree)
    }

    /// Measures this process without its children, such as the SUT; `None` if that is not available.
    pub fn of_this_process() -> Option<Meter> {
        Meter::new(std::process::id(), Scope::Alone)
    }

    fn new(pid: u32, scope: Scope) -> Option<Meter> {
        let tree = Tree::of(pid, scope)?;
        let memory_bytes = tree.memory();
        let throttled = tree.throttled();
        let cpu = tree.cpu()?;
        Some(Meter {
            scope,
            tree: Some(tree),
            carried: (Duration::ZERO, 0),
            base: (cpu.time, throttled),
            last: Reading {
                at: Instant::now(),
                cpu: Duration::ZERO,
                cpu_share: 0.0,
                memory_bytes,
                threads: cpu.threads,
                throttled: 0,
            },
            at_load_end: None,
            peak_bytes: memory_bytes,
            peak_threads: cpu.threads,
        })
    }

    /// Goes on with the process that has taken the place of the one before, which has ended. All that the new one has
    /// used since it began counts; of the one before what was read last, so read it before it is killed. `None` if it has ended too; then the next call may name another one.
    pub fn follow(&mut self, pid: u32) -> Option<()> {
        self.carried = (self.last.cpu, self.last.throttled);
        self.tree = Tree::of(pid, self.scope);
        let tree = self.tree.as_ref()?;
        // The cgroup is most likely the same, and its count goes on.
        self.base = (Duration::ZERO, tree.throttled());
        Some(())
    }

    /// Reads the CPU time and the number of threads; memory and throttling are those of the last [`read`](Meter::read),
    /// and descendants that began after it are left out. `None` if the process has ended.
    pub fn read_cpu(&mut self) -> Option<Reading> {
        let cpu = self.tree.as_ref()?.cpu()?;
        let at = Instant::now();
        let time = self.carried.0 + cpu.time.saturating_sub(self.base.0);
        // A descendant that has ended without its parent waiting for it takes its time with it.
        let time = time.max(self.last.cpu);
        let since = at.duration_since(self.last.at).as_secs_f64();
        self.last = Reading {
            at,
            cpu: time,
            cpu_share: by(time.saturating_sub(self.last.cpu).as_secs_f64(), since),
            threads: cpu.threads,
            ..self.last
        };
        self.peak_threads = self.peak_threads.max(cpu.threads);
        Some(self.last)
    }

    /// Reads everything, and looks for new descendants. `None` if the process has ended.
    pub fn read(&mut self) -> Option<Reading> {
        let tree = self.tree.as_mut()?;
        tree.look()?;
        let memory_bytes = tree.memory();
        let throttled = tree.throttled().saturating_sub(self.base.1);
        if memory_bytes > 0 {
            self.last.memory_bytes = memory_bytes;
        }
        self.last.throttled = self.carried.1 + throttled;
        self.peak_bytes = self.peak_bytes.max(memory_bytes);
        self.read_cpu()
    }

    /// Notes that the load is over and the drain begins: the share of a core is that of the load.
    pub fn load_ended(&mut self) {
        let _ = self.read_cpu();
        self.at_load_end = Some(self.last.cpu);
    }

    /// What was used, read once more: of a process that has ended, what was read last. `load` is the time of the load,
    /// `spans` are those among which the CPU time is divided (0 leaves the quotient at 0).
    pub fn used(&mut self, load: Duration, spans: u64) -> Used {
        let _ = self.read();
        let cpu = self.last.cpu;
        let of_load = self.at_load_end.unwrap_or(cpu);
        Used {
            cpu_seconds: cpu.as_secs_f64(),
            cpu_ns_per_span: by(cpu.as_nanos() as f64, spans as f64),
            cpu_share: by(of_load.as_secs_f64(), load.as_secs_f64()),
            peak_bytes: self.peak_bytes,
            end_bytes: self.last.memory_bytes,
            threads: self.peak_threads,
            throttled: self.last.throttled,
        }
    }
}

fn by(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
