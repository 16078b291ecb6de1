//! Ctrl-C in the middle of a benchmark: what was sent is waited for and reported, as a part.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    time::timeout,
};

use super::{assert_closed, reasons, stand_in::StandIn};
use crate::support::{PATIENCE, eventually, run, tracelab};

/// Starts a benchmark that lasts longer than any test.
fn start(arguments: &[&str]) -> Child {
    tracelab()
        .arg("bench")
        .args(arguments)
        .args([
            "--warm-up",
            "0s",
            "--duration",
            "10m",
            "--cpus",
            "none",
            "--format",
            "json",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Presses Ctrl-C, and returns the document.
async fn interrupt(child: Child) -> Value {
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
    let output = timeout(PATIENCE, child.wait_with_output()).await;
    let output = output.expect("it does not end").unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[tokio::test]
async fn an_interrupted_load_is_drained_and_reported_as_incomplete() {
    let folder = TempDir::new().unwrap();
    let (began, out) = (folder.path().join("began"), folder.path().join("out.json"));
    let out = out.to_str().unwrap();
    let sut = format!(
        "STAND_IN_MARK={} {}",
        began.display(),
        StandIn::Relays.command_line("{in_http}")
    );
    let child = start(&[
        "rate",
        "--rate",
        "5k/s",
        "--protocol",
        "http",
        "--sut",
        &sut,
        "--out",
        out,
    ]);
    eventually("the first request", async || began.exists().then_some(())).await;
    let document = interrupt(child).await;
    assert_eq!(document["complete"], false);
    assert_eq!(reasons(&document), Vec::<String>::new());
    assert_closed(&document);
    let accounts = &document["runs"][0]["accounts"];
    let [planned, never_sent, once] =
        ["planned", "never_sent", "delivered_once"].map(|name| accounts[name].as_u64().unwrap());
    // All that was sent has come.
    assert!(once > 0 && never_sent > 0, "{accounts:#}");
    assert_eq!(once + never_sent, planned);
    let notes = document["runs"][0]["notes"].to_string();
    assert!(notes.contains("stopped before its time"), "{notes}");
    let (code, text, said) = run(&["bench", "report", out]).await;
    assert_eq!(code, 0, "{said}");
    assert!(text.contains("it was stopped before its end"), "{text}");
}

#[tokio::test]
async fn one_that_is_interrupted_before_its_load_is_incomplete_and_no_wrong_input() {
    let target = format!("grpc://{}", StandIn::Silent.start().await);
    let mut child = start(&[
        "rate", "--rate", "5k/s", "--target", &target, "--return", "none",
    ]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
    assert_eq!(line.unwrap(), "trying this machine without a SUT");
    let document = interrupt(child).await;
    assert_eq!(document["complete"], false);
    assert_closed(&document);
    assert_eq!(document["runs"][0]["accounts"]["accepted"], 0);
}

#[tokio::test]
async fn an_interrupted_search_has_no_capacity() {
    let folder = TempDir::new().unwrap();
    let began = folder.path().join("began");
    let sut = format!(
        "STAND_IN_MARK={} {}",
        began.display(),
        StandIn::Relays.command_line("{in_http}")
    );
    let child = start(&[
        "capacity",
        "--start",
        "2k/s",
        "--protocol",
        "http",
        "--sut",
        &sut,
    ]);
    eventually("the first request", async || began.exists().then_some(())).await;
    let document = interrupt(child).await;
    assert_eq!(document["complete"], false);
    assert_closed(&document);
    assert_eq!(document["capacity"]["spans_per_second"], Value::Null);
    assert_eq!(document["runs"].as_array().unwrap().len(), 1);
}
