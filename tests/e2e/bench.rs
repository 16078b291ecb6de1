//! `tracelab bench`: the accounts of spans, and what is said of systems under test that fail.

mod bad_suts;
mod files;
mod interrupted;
mod merge;
mod stand_in;
mod verbs;

use serde_json::Value;
use tempfile::TempDir;

use crate::{collector::there_is_a_collector, support::run};

/// Runs `tracelab bench` with these arguments, and returns the exit code, the document, and what was said.
async fn bench(arguments: &[&str]) -> (i32, Value, String) {
    let mut all = vec!["bench"];
    all.extend(arguments);
    // Others share the processors: what is measured does not matter here.
    all.extend(["--cpus", "none", "--format", "json"]);
    let (code, stdout, stderr) = run(&all).await;
    let document = serde_json::from_str(&stdout).unwrap_or_default();
    (code, document, stderr)
}

/// The reasons of an invalid document, but those of a busy machine.
fn reasons(document: &Value) -> Vec<String> {
    let reasons = document["invalid_because"].as_array().unwrap().iter();
    let reasons = reasons.map(|reason| reason.as_str().unwrap().to_owned());
    reasons
        .filter(|reason| !reason.contains("the schedule was not kept"))
        .collect()
}

fn assert_closed(document: &Value) {
    for run in document["runs"].as_array().unwrap() {
        let accounts = run["accounts"].as_object().unwrap();
        let fates = accounts
            .iter()
            .filter(|(name, _)| !["planned", "foreign"].contains(&name.as_str()));
        let sum: u64 = fates.map(|(_, spans)| spans.as_u64().unwrap()).sum();
        assert_eq!(sum, accounts["planned"].as_u64().unwrap(), "{run:#}");
    }
}

/// The spans of the first load whose requests were begun: a machine that stands still for a second begins some too late.
fn begun(document: &Value) -> u64 {
    let accounts = &document["runs"][0]["accounts"];
    let [planned, never_sent] =
        ["planned", "never_sent"].map(|name| accounts[name].as_u64().unwrap());
    planned - never_sent
}

#[tokio::test]
async fn without_a_sut_every_planned_span_is_delivered_once() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("rate.json");
    let arguments = [
        "rate",
        "--rate",
        "20k/s",
        "--duration",
        "1s",
        "--shape",
        "order:3,small,wide",
        "--spans-per-request",
        "512,1024,1025",
        "--errors",
        "5%",
        "--require",
        "loss=0",
        "--require",
        "corrupted=0",
        "--out",
        out.to_str().unwrap(),
    ];
    let (code, document, said) = bench(&arguments).await;
    assert_eq!(reasons(&document), Vec::<String>::new(), "{said}");
    let is_whole = begun(&document) == 20_000;
    assert!(code == 0 || code == 3 || !is_whole, "{code}: {said}");
    assert_closed(&document);
    assert_eq!(document["kind"], "bench-rate");
    let accounts = &document["runs"][0]["accounts"];
    assert_eq!(accounts["planned"], 20_000);
    assert_eq!(accounts["delivered_once"], begun(&document), "{document:#}");
    let written = std::fs::read_to_string(&out).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), document);
}

#[tokio::test]
async fn a_requirement_that_does_not_hold_is_exit_code_1() {
    let arguments = [
        "rate",
        "--duration",
        "300ms",
        "--warm-up",
        "0s",
        "--require",
        "rate>=1000M",
    ];
    let (code, document, said) = bench(&arguments).await;
    assert_eq!(code, 1, "{said}");
    assert_eq!(document["requirements"][0]["holds"], false);
    assert_closed(&document);
}

#[tokio::test]
async fn traces_in_pieces_and_requests_sent_twice_add_up() {
    let arguments = [
        "rate",
        "--rate",
        "20k/s",
        "--duration",
        "1s",
        "--pieces",
        "3",
        "--lateness",
        "2",
        "--duplicates",
        "20%",
    ];
    let (_, document, said) = bench(&arguments).await;
    assert_eq!(reasons(&document), Vec::<String>::new(), "{said}");
    assert_closed(&document);
    let accounts = &document["runs"][0]["accounts"];
    let [once, twice] =
        ["delivered_once", "duplicated"].map(|name| accounts[name].as_u64().unwrap());
    assert_eq!(once + twice, begun(&document));
    assert!(twice > 0 && twice < once, "{document:#}");
}

#[tokio::test]
async fn a_receiving_end_that_is_killed_loses_no_account() {
    let arguments = [
        "chaos",
        "--harm",
        "kill-sink",
        "--rate",
        "20k/s",
        "--duration",
        "2s",
        "--pause",
        "300ms",
    ];
    let (_, document, said) = bench(&arguments).await;
    assert_eq!(reasons(&document), Vec::<String>::new(), "{said}");
    assert_closed(&document);
    let accounts = &document["runs"][0]["accounts"];
    // What was on its way is sent again, and may have arrived before.
    let [once, twice] =
        ["delivered_once", "duplicated"].map(|name| accounts[name].as_u64().unwrap());
    assert_eq!(once + twice, begun(&document), "{document:#}");
    assert!(document["chaos"]["first_after_ms"].as_f64().is_some());
}

#[tokio::test]
async fn systems_that_fail_are_told_apart() {
    let (code, _, said) = bench(&["rate", "--sut", "no-such-program --port {in}"]).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("no-such-program"), "{said}");
    let dies = "sh -c 'echo cannot read the file; exit 7'";
    let (code, _, said) = bench(&["rate", "--sut", dies]).await;
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("cannot read the file"), "{said}");
    assert!(said.contains('7'), "{said}");
    let (code, _, said) =
        bench(&["rate", "--target", "grpc://127.0.0.1:1", "--return", "none"]).await;
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("127.0.0.1:1"), "{said}");
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_told() {
    for (arguments, part) in [
        (&["rate", "--rate", "fast"][..], "50k/s"),
        (&["rate", "--shape", "huge"], "typical"),
        (&["rate", "--require", "p9<=5ms"], "did you mean"),
        (&["rate", "--errors", "120%"], "from 0% to 100%"),
        (&["rate", "--compression", "brotli"], "none, gzip and zstd"),
        (
            &["rate", "--target", "grpc://127.0.0.1:4317"],
            "--return none",
        ),
        (&["ab", "--blocks", "2"], "3"),
        (&["rate", "--cpus", "0,0"], "core"),
    ] {
        let mut all = vec!["bench"];
        all.extend(arguments);
        let (code, stdout, said) = run(&all).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn through_a_real_collector_every_span_is_accounted_for() {
    if !there_is_a_collector() {
        return;
    }
    let sut = "otelcol --config collector-config/base.yaml";
    let arguments = [
        "rate",
        "--sut",
        sut,
        "--rate",
        "5k/s",
        "--duration",
        "2s",
        "--require",
        "loss=0",
    ];
    let (_, document, said) = bench(&arguments).await;
    assert_eq!(reasons(&document), Vec::<String>::new(), "{said}");
    assert_closed(&document);
    let run = &document["runs"][0];
    assert_eq!(
        run["accounts"]["delivered_once"],
        begun(&document),
        "{document:#}"
    );
    assert!(run["sut_used"]["cpu_seconds"].as_f64().unwrap() > 0.0);
    assert!(run["latency_ms"]["p50"].as_f64().unwrap() > 0.0);

    // One that is killed loses what it held, and each span of that is known.
    let arguments = [
        "chaos",
        "--sut",
        sut,
        "--harm",
        "kill-sut",
        "--rate",
        "5k/s",
        "--duration",
        "3s",
        "--settle",
        "2s",
    ];
    let (_, document, said) = bench(&arguments).await;
    assert_eq!(reasons(&document), Vec::<String>::new(), "{said}");
    assert_closed(&document);
    assert!(
        document["chaos"]["first_after_ms"].as_f64().is_some(),
        "{document:#}"
    );

    // Tail sampling keeps all errors and slow traces.
    let arguments = [
        "sampling",
        "--sut",
        "otelcol --config collector-config/tail-sampling.yaml",
        "--rate",
        "5k/s",
        "--duration",
        "3s",
    ];
    let (code, document, said) = bench(&arguments).await;
    assert_eq!(reasons(&document), Vec::<String>::new(), "{said}");
    assert_closed(&document);
    assert!(code == 0 || code == 3, "{code}: {document:#}");
}
