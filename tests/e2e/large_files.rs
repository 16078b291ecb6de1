//! Trace files that are larger than the memory of a command.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::Stdio,
};

use testing::spans::healthy;
use tokio::io::AsyncReadExt;
use trace::{TraceId, otlp};

use crate::support::{run, tracelab};

/// The `--memory` of each command, in MiB.
const MEMORY: usize = 64;
/// The number of traces; together they are larger than the memory, as text and decoded.
const TRACES: u64 = 6_000;

/// A file of traces a tenth of a second apart, each a document of its own, and all in one document.
fn files(folder: &Path) -> [PathBuf; 2] {
    let paths = ["lines", "one"].map(|name| folder.join(name));
    let [mut lines, mut one] = paths
        .each_ref()
        .map(|path| BufWriter::new(File::create(path).unwrap()));
    let mut spans = healthy();
    for span in &mut spans {
        let text = "SELECT something FROM somewhere ".repeat(10);
        span.attributes
            .0
            .push(("db.query.text".into(), text.as_str().into()));
    }
    let separator = |number| {
        if number == 0 {
            "{\"resourceSpans\":["
        } else {
            ","
        }
    };
    for number in 0..TRACES {
        for span in &mut spans {
            let mut id = *span.trace_id.as_bytes();
            id[..8].copy_from_slice(&(number + 1).to_be_bytes());
            span.trace_id = TraceId::from_bytes(id).unwrap();
            span.start_ns += 100_000_000;
            span.end_ns += 100_000_000;
        }
        let text = otlp::to_json(&spans);
        writeln!(lines, "{text}").unwrap();
        let inner = text.strip_prefix("{\"resourceSpans\":[").unwrap();
        let inner = inner.strip_suffix("]}").unwrap();
        write!(one, "{}{inner}", separator(number)).unwrap();
    }
    one.write_all(b"]}").unwrap();
    paths
}

/// Runs a command; returns its exit code, the number of lines that it printed, and the most memory that it had, in MiB.
async fn measured(arguments: &[&str]) -> (Option<i32>, usize, usize) {
    let memory = MEMORY.to_string();
    let mut command = tracelab();
    command.args(arguments).args(["--memory", &memory]);
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id().unwrap());
    let mut output = child.stdout.take().unwrap();
    let (mut lines, mut most, mut piece) = (0, 0, vec![0; 16 << 10]);
    loop {
        // It is held at its output, which is longer than a pipe.
        let status = fs::read_to_string(&status).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        most = most.max(peak.map_or(0, |peak| peak.parse().unwrap()));
        match output.read(&mut piece).await.unwrap() {
            0 => break,
            read => lines += piece[..read].iter().filter(|byte| **byte == b'\n').count(),
        }
    }
    (child.wait().await.unwrap().code(), lines, most >> 10)
}

#[tokio::test]
async fn a_file_that_is_larger_than_memory_is_read_trace_by_trace() {
    let folder = tempfile::tempdir().unwrap();
    let [lines, one] = files(folder.path());
    let size = fs::metadata(&one).unwrap().len() as usize >> 20;
    assert!(size > MEMORY, "{size} MiB");
    let [lines, one] = [&lines, &one].map(|file| file.to_str().unwrap());
    let traces = TRACES as usize;
    for (arguments, least) in [
        (vec!["diagnose", lines], 10 * traces),
        (vec!["diagnose", one], 10 * traces),
        (vec!["check", one, "--expect", "checkout"], 27 * traces),
        (vec!["export", one], traces),
        (vec!["trace", one], 27 * traces),
    ] {
        let (code, lines, most) = measured(&arguments).await;
        assert!(matches!(code, Some(0 | 1)), "{arguments:?}: {code:?}");
        assert!(lines >= least, "{arguments:?}: {lines} lines");
        assert!(
            most > 0 && most <= MEMORY * 5 / 4 + 20,
            "{arguments:?}: {most} MiB"
        );
    }
}

#[tokio::test]
async fn a_trace_that_is_larger_than_memory_is_named_with_what_would_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one");
    let span = &healthy()[0];
    let spans: Vec<_> = std::iter::repeat_n(span.clone(), 80_000).collect();
    fs::write(&path, otlp::to_protobuf(&spans)).unwrap();
    let path = path.to_str().unwrap();
    let (code, stdout, stderr) = run(&["export", path, "--memory", "64"]).await;
    assert_eq!((code, stdout.len()), (2, 0), "{stderr}");
    let start = format!("trace {} has 80000 spans, which take ", span.trace_id);
    assert!(stderr.contains(&start), "{stderr}");
    let would_do = stderr.split("--memory ").nth(1).unwrap();
    let would_do = would_do.split_whitespace().next().unwrap();
    let (code, ..) = run(&["export", path, "--memory", would_do, "--out", "/dev/null"]).await;
    assert_eq!(code, 0, "--memory {would_do}");

    let (code, _, stderr) = run(&["trace", path, "--memory", "63"]).await;
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains("--memory: 63 MiB are not from 64 to "),
        "{stderr}"
    );
}
