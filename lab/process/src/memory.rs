//! Measures the memory of processes.

use std::fs;

/// The memory of several processes, as proportional set size (PSS): a page that several processes share is
/// divided among them, so the sum is the memory that they use together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The sum, in bytes.
    pub total: u64,
    /// The memory of each process.
    pub processes: Vec<ProcessMemory>,
}

/// The memory of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessMemory {
    /// The name of the component that runs in it.
    pub name: &'static str,
    /// The process id.
    pub pid: u32,
    /// Its proportional set size, in bytes.
    pub pss: u64,
}

/// Measures the memory of the processes; `None` if the system does not report it. Only Linux 4.14 and later
/// reports it.
pub fn measure(processes: impl Iterator<Item = (&'static str, u32)>) -> Option<Memory> {
    let processes = processes
        .map(|(name, pid)| {
            let pss = of_process(pid)?;
            Some(ProcessMemory { name, pid, pss })
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Memory {
        total: processes.iter().map(|process| process.pss).sum(),
        processes,
    })
}

/// The proportional set size of one process, in bytes; `None` if there is no such process, or the system does not
/// report it to this user. The system walks the tables of all its pages for that: some 3 ms for 100 MB.
pub fn of_process(pid: u32) -> Option<u64> {
    pss(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?)
}

/// Parses the line `Pss:  1234 kB` of proc_pid_smaps_rollup(5), in bytes.
fn pss(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proportional_set_size_is_read() {
        let rollup = "5581a000-7ffd9000 ---p 00000000 00:00 0    [rollup]\n\
                      Rss:                4096 kB\n\
                      Pss:                1234 kB\n\
                      Pss_Dirty:           512 kB\n";
        assert_eq!(pss(rollup), Some(1234 * 1024));
        assert_eq!(pss(""), None);
    }
}
