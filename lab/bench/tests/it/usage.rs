//! CPU and memory of real processes.

#![cfg(target_os = "linux")]

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bench::usage::{Meter, Reading, lives, of_tree};

/// The longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Enough CPU time to be no accident.
const BUSY: Duration = Duration::from_millis(100);

/// A shell that leads a process group, which is killed at the end.
struct Shell(Child);

impl Shell {
    fn run(script: &str) -> Shell {
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .stdout(Stdio::piped())
            .process_group(0);
        Shell(command.spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits until it has written a line.
    fn line(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.0.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        process::signals::kill_group(self.pid());
        self.0.wait().unwrap();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this thread has nothing else to do"
)]
fn until(meter: &mut Meter, what: &str, holds: impl Fn(Reading) -> bool) -> Reading {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let reading = meter.read().unwrap();
        if holds(reading) {
            return reading;
        }
        assert!(
            Instant::now() < deadline,
            "{what} in {PATIENCE:?}: {reading:?}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_cpu_of_a_busy_process_is_seen_and_not_more() {
    let began = Instant::now();
    let shell = Shell::run("while :; do :; done");
    let mut meter = Meter::of_tree(shell.pid()).unwrap();
    let reading = until(&mut meter, "it is busy", |reading| reading.cpu >= BUSY);
    assert!(reading.cpu <= began.elapsed(), "{reading:?}");
    // The share is of the time between two readings.
    let next = until(&mut meter, "it goes on", |next| next.cpu_share > 0.0);
    assert!(next.cpu <= began.elapsed(), "{next:?}");
    let before = meter.read_cpu().unwrap();
    let after = meter.read_cpu().unwrap();
    let share = (after.cpu - before.cpu).as_secs_f64() / (after.at - before.at).as_secs_f64();
    assert!((after.cpu_share - share).abs() < 1e-9, "{after:?}");
    assert_eq!(reading.threads, 1);
    // A shell has some hundred kilobytes.
    assert!(
        (100_000..100_000_000).contains(&reading.memory_bytes),
        "{reading:?}"
    );
    meter.load_ended();
    let used = meter.used(Duration::from_secs(1), 1000);
    assert!(used.cpu_seconds >= BUSY.as_secs_f64(), "{used:?}");
    let by_span = used.cpu_seconds * 1e9 / 1000.0;
    assert!((used.cpu_ns_per_span - by_span).abs() < 1.0, "{used:?}");
    assert!(
        used.cpu_share > 0.0 && used.cpu_share <= used.cpu_seconds,
        "{used:?}"
    );
    assert_eq!((used.threads, used.peak_bytes >= used.end_bytes), (1, true));
}

#[test]
fn cpu_is_read_finer_than_a_tick() {
    let shell = Shell::run("while :; do :; done");
    let mut meter = Meter::of_tree(shell.pid()).unwrap();
    let readings = (0..).map(|_| meter.read_cpu().unwrap().cpu.as_nanos());
    let deadline = Instant::now() + PATIENCE;
    let mut readings = readings.take_while(|_| Instant::now() < deadline);
    assert!(readings.any(|nanos| nanos % 1_000_000 != 0));
}

#[test]
fn a_child_of_a_child_counts() {
    let mut shell = Shell::run("sh -c 'while :; do :; done & echo $!; wait' & wait");
    let grandchild: u32 = shell.line().parse().unwrap();
    let mut meter = Meter::of_tree(shell.pid()).unwrap();
    let reading = until(&mut meter, "it is busy", |reading| reading.cpu >= BUSY);
    assert_eq!(reading.threads, 3);
    let alone = of_tree(grandchild).unwrap();
    assert!(alone.cpu >= BUSY / 2, "{alone:?}");
    assert!(reading.memory_bytes > alone.memory_bytes);
}

#[test]
fn a_descendant_whose_parent_has_ended_counts() {
    let mut shell = Shell::run("sh -c 'while :; do :; done & echo $!'; sleep 1000; exit");
    shell.line();
    let mut meter = Meter::of_tree(shell.pid()).unwrap();
    let reading = until(&mut meter, "it is busy", |reading| reading.cpu >= BUSY);
    assert!(reading.threads >= 2, "{reading:?}");
}

#[test]
fn children_that_have_ended_count() {
    let script = "i=0; while [ $i -lt 5 ]; do i=$((i+1)); \
                  sh -c 'j=0; while [ $j -lt 100000 ]; do j=$((j+1)); done'; done; echo done; exec sleep 1000";
    let mut shell = Shell::run(script);
    assert_eq!(shell.line(), "done");
    let usage = of_tree(shell.pid()).unwrap();
    assert!(usage.cpu >= BUSY, "{usage:?}");
    assert_eq!(usage.threads, 1);
}

#[test]
fn threads_of_this_process_that_have_ended_count() {
    let mut meter = Meter::of_this_process().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut waste = 1_u64;
            let began = thread_cpu();
            while thread_cpu() - began < BUSY {
                waste = std::hint::black_box(waste.wrapping_mul(3));
            }
        });
    });
    let reading = meter.read().unwrap();
    assert!(reading.cpu >= BUSY, "{reading:?}");
}

#[test]
fn a_process_that_has_ended_keeps_what_was_read_last_and_another_one_goes_on() {
    let shell = Shell::run("while :; do :; done");
    let mut meter = Meter::of_tree(shell.pid()).unwrap();
    let first = until(&mut meter, "it is busy", |reading| reading.cpu >= BUSY);
    let pid = shell.pid();
    drop(shell);
    assert!(!lives(pid) && of_tree(pid).is_none());
    assert!(meter.read().is_none() && meter.read_cpu().is_none());
    assert!(meter.follow(pid).is_none());
    let used = meter.used(Duration::ZERO, 0);
    assert_eq!(used.cpu_seconds, first.cpu.as_secs_f64());
    assert_eq!((used.cpu_share, used.cpu_ns_per_span), (0.0, 0.0));
    assert_eq!(used.end_bytes, first.memory_bytes);
    let second = Shell::run("while :; do :; done");
    meter.follow(second.pid()).unwrap();
    until(&mut meter, "both are added", |reading| {
        reading.cpu >= first.cpu + BUSY
    });
}

#[test]
fn the_memory_of_a_process_is_seen_at_its_peak_and_at_the_end() {
    const SIZE: usize = 64 << 20;
    let mut meter = Meter::of_this_process().unwrap();
    let before = meter.read().unwrap().memory_bytes;
    // Each page is written to.
    let memory = std::hint::black_box(vec![1_u8; SIZE]);
    let during = meter.read().unwrap().memory_bytes;
    assert!(during >= before + SIZE as u64 / 2, "{before} {during}");
    drop(memory);
    let used = meter.used(Duration::ZERO, 0);
    assert!(
        used.peak_bytes >= during && used.end_bytes < during,
        "{used:?} {during}"
    );
}

fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}
