//! `tracelab bench report` and `tracelab bench record`: what was written is read again.

use serde_json::Value;
use tempfile::TempDir;

use super::{assert_closed, bench, reasons};
use crate::support::{Up, run};

/// Runs a short load, and writes its result into this file.
async fn recorded(rate: &str, out: &str) -> Value {
    let arguments = [
        "rate",
        "--rate",
        rate,
        "--duration",
        "300ms",
        "--warm-up",
        "0s",
        "--require",
        "corrupted=0",
        "--out",
        out,
    ];
    let (_, document, said) = bench(&arguments).await;
    assert_eq!(reasons(&document), Vec::<String>::new(), "{said}");
    document
}

#[tokio::test]
async fn a_recorded_result_is_reported_in_each_format() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (slow, fast, page) = (path("slow.json"), path("fast.json"), path("slow.html"));
    let first = recorded("2k/s", &slow).await;
    let second = recorded("4k/s", &fast).await;
    let report = async |arguments: &[&str]| {
        let mut all = vec!["bench", "report"];
        all.extend(arguments);
        let (code, stdout, said) = run(&all).await;
        assert_eq!((code, said.as_str()), (0, ""), "{arguments:?}");
        stdout
    };

    let text = report(&[&slow]).await;
    assert!(text.starts_with("bench-rate: "), "{text}");
    assert!(text.contains("600 spans planned"), "{text}");
    assert!(text.contains("PASS corrupted=0: 0"), "{text}");
    let json = report(&[&slow, "--format", "json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), first);
    let markdown = report(&[&slow, "--format", "markdown", "--html", &page]).await;
    assert!(
        markdown.contains("| corrupted=0 | pass | 0 |"),
        "{markdown}"
    );
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));

    let both = report(&[&slow, &fast]).await;
    assert!(
        both.contains("They differ in the rate: 2000/s; 4000/s."),
        "{both}"
    );
    for name in ["slow.json", "fast.json"] {
        assert!(both.contains(name), "{both}");
    }
    let lines = report(&[&slow, &fast, "--format", "json"]).await;
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines, [first, second]);
}

#[tokio::test]
async fn what_cannot_be_reported_is_told() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (other, out) = (path("other.json"), path("out.html"));
    std::fs::write(&other, r#"{"schema":1,"kind":"load"}"#).unwrap();
    for (arguments, part) in [
        (&["nowhere.json"][..], "nowhere.json cannot be read"),
        (&[&other], "of kind \"load\""),
        (&["Cargo.toml"], "it is no result of tracelab bench"),
    ] {
        let mut all = vec!["bench", "report", "--html", &out];
        all.extend(arguments);
        let (code, stdout, said) = run(&all).await;
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    assert!(!folder.path().join("out.html").exists());
}

#[tokio::test]
async fn a_trace_of_a_file_and_one_of_a_running_lab_become_shapes() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (of_file, of_lab) = (path("small.json"), path("lab.json"));
    let arguments = [
        "bench",
        "record",
        "lab/firehose/shapes/small.json",
        "--out",
        &of_file,
    ];
    assert_eq!(run(&arguments).await, (0, String::new(), String::new()));

    let up = Up::start().await;
    let order = up.order().await.expect(201);
    up.trace_when(order.trace_id, "is whole", |trace| trace.spans().len() > 10)
        .await;
    let id = order.trace_id.to_string();
    let arguments = ["bench", "record", &id, "--lab", up.page(), "--out", &of_lab];
    assert_eq!(run(&arguments).await, (0, String::new(), String::new()));
    drop(up);

    let shapes = format!("{of_file}:3,{of_lab}");
    let arguments = [
        "rate",
        "--rate",
        "5k/s",
        "--duration",
        "1s",
        "--warm-up",
        "0s",
        "--shape",
        &shapes,
    ];
    let (_, document, said) = bench(&arguments).await;
    assert_eq!(reasons(&document), Vec::<String>::new(), "{said}");
    assert_closed(&document);
    assert_eq!(document["workload"]["shapes"], "small:3,lab");
    assert_eq!(
        document["runs"][0]["accounts"]["delivered_once"],
        super::begun(&document)
    );
}

#[tokio::test]
async fn what_is_not_one_trace_is_no_shape() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("shape.json");
    let out = out.to_str().unwrap();
    for (trace, part) in [
        ("nowhere.json", "nowhere.json"),
        ("Cargo.toml", "Cargo.toml"),
    ] {
        let (code, _, said) = run(&["bench", "record", trace, "--out", out]).await;
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(part), "{said}");
    }
    assert!(!std::path::Path::new(out).exists());
}

#[tokio::test]
async fn what_cannot_be_written_or_means_nothing_is_said_before_a_load() {
    for (arguments, says) in [
        (
            vec!["rate", "--duration", "1h", "--out", "/nope/x.json"],
            "/nope/x.json cannot be written",
        ),
        (
            vec!["rate", "--duration", "1h", "--html", "/nope/x.html"],
            "/nope/x.html cannot be written",
        ),
        (vec!["rate", "--duration", "0s"], "longer than no time"),
        (
            vec!["capacity", "--precision", "0"],
            "above 0 and below 100 %",
        ),
        (
            vec!["ab", "--confidence", "100%"],
            "above 0 and below 100 %",
        ),
        (vec!["spike", "--factor", "0"], "a number above 0"),
    ] {
        let (code, document, stderr) = bench(&arguments).await;
        assert_eq!(code, 2, "{arguments:?}: {document}{stderr}");
        assert!(stderr.contains(says), "{arguments:?}: {stderr}");
    }
}
