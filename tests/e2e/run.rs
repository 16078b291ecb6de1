//! `tracelab run`: its verdicts and its exit codes.

use serde_json::Value;

use crate::support::{run, run_with};

const SCENARIO: &str = include_str!("../../scenarios/checkout.yaml");

async fn run_edited(from: &str, to: &str) -> (i32, Value, String) {
    assert!(
        SCENARIO.contains(from),
        "the scenario does not say {from:?} any more"
    );
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("edited.yaml");
    std::fs::write(&path, SCENARIO.replace(from, to)).unwrap();
    let path = path.to_str().unwrap();
    let arguments = [
        "run",
        path,
        "--requests",
        "3",
        "--pace",
        "none",
        "--format",
        "json",
        "--patience",
        "5",
    ];
    let (code, stdout, stderr) = run(&arguments).await;
    (
        code,
        serde_json::from_str(&stdout).unwrap_or_default(),
        stderr,
    )
}

#[tokio::test]
async fn every_trace_of_a_healthy_run_matches() {
    let arguments = [
        "run",
        "checkout",
        "--requests",
        "50",
        "--users",
        "10",
        "--pace",
        "none",
        "--format",
        "json",
    ];
    let (code, stdout, stderr) = run(&arguments).await;
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["verdict"], "pass");
    let scenario = &report["scenarios"][0];
    assert_eq!(scenario["name"], "checkout");
    for (field, count) in [
        ("traces", 50),
        ("passed", 50),
        ("failed", 0),
        ("unsupported", 0),
        ("unexplained_spans", 0),
        ("dropped_spans", 0),
    ] {
        assert_eq!(scenario[field], count, "{field}: {report}");
    }
    assert!(scenario["latency_ms"]["p50"].as_f64().unwrap() > 0.0);
}

/// An environment as in a container that contains only the program.
#[tokio::test]
async fn a_machine_needs_no_ca_certificates() {
    let none = [("SSL_CERT_FILE", "/none"), ("SSL_CERT_DIR", "/none")];
    let (code, report, stderr) = run_with(&none, &["run", "checkout", "--requests", "2"]).await;
    assert_eq!(code, 0, "{report:#}\n{stderr}");
}

#[tokio::test]
async fn a_textbook_run_shows_the_median_trace() {
    let (code, stdout, stderr) = run(&["run", "checkout", "--requests", "5", "--users", "1"]).await;
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    for part in [
        "POST /checkout",
        "fraud check",
        "send mail",
        "PASS checkout",
        "5 of 5 match",
    ] {
        assert!(stdout.contains(part), "{part} is missing in:\n{stdout}");
    }
}

#[tokio::test]
async fn an_expectation_that_does_not_hold_fails_the_run() {
    let (code, report, stderr) = run_edited(
        "order.discount_applied: true",
        "order.discount_applied: false",
    )
    .await;
    assert_eq!(code, 1, "{stderr}");
    assert_eq!(report["verdict"], "fail");
    let scenario = &report["scenarios"][0];
    assert_eq!(scenario["failed"], 3);
    let failures = scenario["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 3, "{report}");
    for failure in failures {
        let line = &failure["report"]["tree"][0]["children"][0];
        assert_eq!(line["name"], "process_order");
        assert_eq!(line["differences"][0]["want"], "bool false");
        assert_eq!(failure["report"]["trace_id"], failure["trace_id"]);
        assert_eq!(failure["answer"], "POST /checkout → 201");
    }
}

#[tokio::test]
async fn a_trace_that_never_settles_fails_and_says_what_is_missing() {
    let (code, report, stderr) = run_edited("roots: 1", "roots: 2").await;
    assert_eq!(code, 1, "{stderr}");
    assert_eq!(report["scenarios"][0]["failed"], 3);
}

#[tokio::test]
async fn a_scenario_that_cannot_be_read_is_refused_with_its_place() {
    let (code, _, stderr) = run_edited("closed: true", "closd: true").await;
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains("edited.yaml:") && stderr.contains("did you mean \"closed\"?"),
        "{stderr}"
    );
}
