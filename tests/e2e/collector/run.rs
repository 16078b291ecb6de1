//! `tracelab run --via`: scenarios that pass without a Collector also pass through one, and no Collector is
//! left running.

use std::process::Stdio;

use collector::Program;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

use super::rig::{Rig, set_up, set_ups, there_is_a_collector};
use crate::support::{PATIENCE, eventually, is_alive, run, tracelab};

#[tokio::test]
async fn every_set_up_is_taken_by_the_collector() {
    if !there_is_a_collector() {
        return;
    }
    let program = Program::find(None).unwrap();
    let files = set_ups();
    assert_eq!(files.len(), 15, "{files:?}");
    for file in files {
        program.check(&file).await.unwrap();
    }
}

#[tokio::test]
async fn what_the_collector_refuses_is_passed_on() {
    if !there_is_a_collector() {
        return;
    }
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("wrong.yaml");
    let base = std::fs::read_to_string(set_up("base.yaml")).unwrap();
    let refused = async |text: String, words: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let (code, stdout, stderr) =
            run(&["run", "checkout", "--via", file.to_str().unwrap()]).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        for word in words.iter().chain(&["wrong.yaml"]) {
            assert!(stderr.contains(word), "{word} is missing in: {stderr}");
        }
    };
    refused(
        base.replace("check_interval", "check_intervall"),
        &["invalid keys: check_intervall"],
    )
    .await;
    refused(base.replace("[otlp]", "[otlb]"), &["otlb"]).await;
    refused(format!("{base}  - nothing"), &["line "]).await;
    refused(
        base.replace(
            "${env:COLLECTOR_OTLP_GRPC:-127.0.0.1:14317}",
            "127.0.0.1:4317",
        ),
        &["COLLECTOR_OTLP_GRPC"],
    )
    .await;
}

#[tokio::test]
async fn a_collector_or_a_set_up_that_is_not_there_is_named() {
    let base = set_up("base.yaml");
    let base = base.to_str().unwrap();
    let output = tracelab()
        .args(["run", "checkout", "--via", base])
        .env("PATH", "/nowhere")
        .env("TRACELAB_PARTS", "/nowhere/parts")
        .output()
        .await
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    for word in ["/nowhere/parts/bin/otelcol", "scripts/parts", "--collector"] {
        assert!(stderr.contains(word), "{word} is missing in: {stderr}");
    }
    for (arguments, word) in [
        (&["--via", "nowhere.yaml"][..], "nowhere.yaml"),
        (
            &["--via", base, "--collector", "/nowhere/otelcol"],
            "/nowhere/otelcol",
        ),
        (&["--collector", "otelcol"], "--via"),
    ] {
        let (code, _, stderr) = run(&[&["run", "checkout"], arguments].concat()).await;
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(word), "{stderr}");
    }
}

#[tokio::test]
async fn a_collector_ends_with_the_one_who_started_it() {
    if !there_is_a_collector() {
        return;
    }
    let mut rig = Rig::start("base.yaml", &[]).await;
    assert!(is_alive(rig.pid));
    rig.orphan();
    eventually("the Collector to end", async || {
        (!is_alive(rig.pid)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_killed_leaves_no_collector_behind() {
    if !there_is_a_collector() {
        return;
    }
    // A unique file name identifies its processes among others.
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("mine.yaml");
    std::fs::copy(set_up("base.yaml"), &file).unwrap();
    let mut child = tracelab()
        .args(["run", "checkout", "--requests", "1000000", "--via"])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
    assert!(line.unwrap().contains("the lab is up"));
    let name = file.to_str().unwrap();
    assert_eq!(
        processes_with(name).len(),
        3,
        "run, and collector, and otelcol"
    );
    let run = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    kill_process(run, Signal::KILL).unwrap();
    child.wait().await.unwrap();
    eventually("all to be gone", async || {
        processes_with(name).is_empty().then_some(())
    })
    .await;
}

/// The processes whose command line contains this word.
fn processes_with(word: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap();
    entries
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(word))
        .collect()
}
