//! `tracelab validate` with real backends: the sink, a sink that is killed, a file of the Collector, and, where real parts
//! are asked for, Jaeger and Zipkin.

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    collector::there_is_a_collector,
    node,
    support::{Up, binary, run},
};

/// The command line that starts a sink.
fn a_sink() -> String {
    format!(
        "{} sink --grpc {{grpc}} --http {{http}} --page {{read}}",
        binary().display()
    )
}

async fn validate(arguments: &[&str]) -> (i32, Value, String) {
    let arguments: Vec<&str> = ["validate", "--format", "json"]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    let (code, stdout, stderr) = run(&arguments).await;
    let document =
        serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{code}: {stdout}{stderr}"));
    (code, document, stderr)
}

/// The names of the cases with a verdict.
fn with<'d>(document: &'d Value, verdict: &str) -> Vec<&'d str> {
    let cases = document["cases"].as_array().unwrap().iter();
    cases
        .filter(|case| case["verdict"] == verdict)
        .map(|case| case["case"].as_str().unwrap())
        .collect()
}

/// Whether tests with the real Jaeger and Zipkin run.
fn there_are_backends() -> bool {
    if !node::is_asked_for() {
        node::say(
            "A TEST DID NOT RUN: it needs Jaeger and Zipkin; scripts/parts collector jaeger zipkin gets them, \
             scripts/test --real runs it",
        );
    }
    node::is_asked_for()
}

#[tokio::test]
async fn the_sink_passes_everything_but_a_restart() {
    let sink = a_sink();
    let (code, document, stderr) =
        validate(&["--backend", "sink", "--start", &sink, "--load", "1s"]).await;
    assert_eq!(code, 0, "{document}{stderr}");
    // It keeps traces in memory, which its profile says.
    assert_eq!(
        with(&document, "unsupported"),
        ["search-by-time", "restart"],
        "{document}"
    );
    assert_eq!(document["summary"]["fail"], 0, "{document}");
    assert_eq!(document["summary"]["regression"], 0, "{document}");
    assert_eq!(document["freshness"]["never"], 0);
    let limits = document["limits"].as_array().unwrap();
    assert_eq!(limits.len(), 4);
    assert!(
        limits.iter().all(|limit| limit["is_said"] == true),
        "{document}"
    );
    let over = |protocol: &str| {
        let cases = document["cases"].as_array().unwrap().iter();
        cases.filter(|case| case["over"] == protocol).count()
    };
    assert_eq!(over("grpc"), over("json"));
    assert!(over("http") > 100, "{document}");
}

#[tokio::test]
async fn a_running_lab_says_where_it_takes_traces() {
    let up = Up::start().await;
    let (code, document, stderr) = validate(&[
        "--backend",
        "sink",
        "--url",
        up.page(),
        "--case",
        "bool",
        "--seed",
        "5",
    ])
    .await;
    assert_eq!(code, 0, "{document}{stderr}");
    assert_eq!(document["summary"]["pass"], 6);
    // The ids follow from the seed: the backend has these traces already, and gets them once more.
    let (code, document, _) = validate(&[
        "--backend",
        "sink",
        "--url",
        up.page(),
        "--case",
        "bool",
        "--seed",
        "5",
    ])
    .await;
    assert_eq!(code, 1);
    let losses = document["cases"][0]["losses"].to_string();
    assert!(
        losses.contains("span: duplicated") || losses.contains("span: added"),
        "{document}"
    );
}

#[tokio::test]
async fn junit_and_annotations_name_what_was_lost() {
    let up = Up::start().await;
    let folder = TempDir::new().unwrap();
    let profile = folder.path().join("profile.yaml");
    // A reader that finds nothing: each trace is lost.
    std::fs::write(&profile, "backend: command\nkeeps: [bool]\n").unwrap();
    let junit = folder.path().join("validate.xml");
    let arguments = [
        "validate",
        "--backend",
        "command:true",
        "--otlp",
        up.ready["otlp_grpc"].as_str().unwrap(),
        "--case",
        "bool",
        "--patience",
        "1s",
        "--profile",
        profile.to_str().unwrap(),
        "--junit",
        junit.to_str().unwrap(),
    ];
    let arguments = arguments.map(|argument| argument.replacen("http://", "grpc://", 1));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (code, stdout, stderr) = run(&arguments).await;
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(
        stdout.contains("REGRESSION: the profile promises it"),
        "{stdout}"
    );
    assert!(stdout.contains("FAIL: no profile speaks of it"), "{stdout}");
    assert!(stdout.contains("trace: missing"), "{stdout}");
    let junit = std::fs::read_to_string(junit).unwrap();
    assert!(
        junit.contains("<testsuite name=\"command: values\""),
        "{junit}"
    );
    assert!(junit.contains("the profile promises it"), "{junit}");
}

#[tokio::test]
async fn wrong_input_is_one_clear_error() {
    let up = Up::start().await;
    for (arguments, code, says) in [
        (vec!["validate"], 2, "--backend names the kind of backend"),
        (
            vec!["validate", "--backend", "influx"],
            2,
            "there is no backend \"influx\"",
        ),
        (vec!["validate", "--backend", "file"], 2, "--url PATH"),
        (
            vec!["validate", "--backend", "jaeger", "--url", up.page()],
            3,
            "it looks like a lab of tracelab (--backend sink)",
        ),
        (
            vec![
                "validate",
                "--backend",
                "zipkin",
                "--url",
                "http://127.0.0.1:9",
            ],
            3,
            "127.0.0.1:9",
        ),
        (
            vec!["validate", "--backend", "sink", "--header", "nonsense"],
            2,
            "NAME: VALUE",
        ),
        (
            vec![
                "validate",
                "--backend",
                "sink",
                "--url",
                up.page(),
                "--profile",
                "no-such",
            ],
            2,
            "no profile of tracelab",
        ),
        (
            vec![
                "validate",
                "--backend",
                "sink",
                "--url",
                up.page(),
                "--case",
                "no-such",
            ],
            2,
            "--list-cases",
        ),
        (
            vec![
                "validate",
                "--backend",
                "sink",
                "--url",
                up.page(),
                "--ca",
                "/dev/null",
            ],
            2,
            "no certificate",
        ),
        (
            vec![
                "validate",
                "--backend",
                "sink",
                "--start",
                "sh -c 'echo no licence >&2; exit 4'",
            ],
            3,
            "no licence",
        ),
        (
            vec![
                "validate",
                "--backend",
                "sink",
                "--start",
                "no-such-program",
            ],
            3,
            "no-such-program cannot be started",
        ),
        (vec!["validate", "--matrix", "/dev/null"], 2, "/dev/null"),
    ] {
        let (got, stdout, stderr) = run(&arguments).await;
        assert_eq!(got, code, "{arguments:?}: {stdout}{stderr}");
        assert!(stderr.contains(says), "{arguments:?}: {stderr}");
        assert_eq!(
            stderr.matches("error: ").count(),
            1,
            "{arguments:?}: {stderr}"
        );
    }
}

#[tokio::test]
async fn a_scenario_is_judged_by_what_a_backend_gives_back() {
    let up = Up::start().await;
    let (code, stdout, stderr) = run(&[
        "run",
        "checkout",
        "n-plus-one",
        "--backend",
        "sink",
        "--url",
        up.page(),
        "--format",
        "json",
    ])
    .await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["verdict"], "pass", "{report}");
    let stats = up.get_json("/api/stats").await;
    assert!(
        stats["spans"]["received"].as_u64().unwrap() > 500,
        "{stats}"
    );
    let (code, _, stderr) = run(&[
        "run",
        "checkout",
        "--backend",
        "sink",
        "--url",
        up.page(),
        "--lab",
        up.page(),
    ])
    .await;
    assert_eq!(code, 2, "{stderr}");
}

#[tokio::test]
async fn what_the_collector_writes_into_a_file_is_what_its_profile_says() {
    if !there_is_a_collector() {
        return;
    }
    let (code, stdout, stderr) = run(&[
        "validate",
        "--matrix",
        "--column",
        "collector-file",
        "--part",
        "fidelity",
    ])
    .await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("| collector-file |"), "{stdout}");
}

#[tokio::test]
async fn jaeger_and_zipkin_lose_what_their_profiles_say() {
    if !there_are_backends() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let page = folder.path().join("matrix.html");
    let (code, stdout, stderr) = run(&[
        "validate",
        "--matrix",
        "--column",
        "jaeger",
        "--column",
        "jaeger-v1",
        "--column",
        "zipkin",
        "--html",
        page.to_str().unwrap(),
    ])
    .await;
    assert_eq!(code, 0, "{stdout}{stderr}");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("resource.schema-url: missing"), "{page}");
}

#[tokio::test]
async fn a_backend_that_does_not_start_again_has_failed() {
    let once = format!(
        "sh -c 'test ! -e {{dir}}/was && touch {{dir}}/was && exec {}'",
        a_sink()
    );
    let arguments = [
        "--backend",
        "sink",
        "--profile",
        "none",
        "--part",
        "restart",
        "--start",
        &once,
    ];
    let (code, document, stderr) = validate(&arguments).await;
    assert_eq!(code, 1, "{document}{stderr}");
    let got = document["cases"][0]["differences"][0]["got"]
        .as_str()
        .unwrap();
    assert!(got.contains("it did not start again"), "{document}");
}

#[tokio::test]
async fn a_profile_is_not_written_over_what_is_none() {
    let up = Up::start().await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "my notes").unwrap();
    let arguments = [
        "validate",
        "--backend",
        "sink",
        "--url",
        up.page(),
        "--write-profile",
        file.to_str().unwrap(),
    ];
    let (code, _, stderr) = run(&arguments).await;
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("is there and is no profile"), "{stderr}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "my notes");
    for flag in ["--junit", "--write-profile"] {
        let (code, _, stderr) = run(&[
            "validate",
            "--backend",
            "sink",
            "--url",
            up.page(),
            flag,
            "/nope/x",
        ])
        .await;
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains("/nope/x cannot be written"), "{stderr}");
    }
    for flag in [
        ["--junit", "x"],
        ["--format", "json"],
        ["--over", "grpc"],
        ["--profile", "none"],
    ] {
        let (code, _, stderr) = run(&["validate", "--matrix", flag[0], flag[1]]).await;
        assert_eq!(code, 2, "{flag:?}: {stderr}");
    }
}
