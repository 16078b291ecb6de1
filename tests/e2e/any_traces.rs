//! Traces of any system: read, written as an expectation, checked, and exported, by the command.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::run;

/// Files of backends and SDKs, after public bug reports.
const FIELD: &str = "lab/formats/tests/it/field";

fn field(name: &str) -> String {
    // Tests run in the folder of their package.
    std::path::absolute(Path::new(FIELD).join(name))
        .unwrap()
        .display()
        .to_string()
}

fn text_of(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}

/// Writes the expectation of a file into a folder, and returns its path.
async fn expectation_of(file: &str, folder: &Path) -> PathBuf {
    let (code, expect, stderr) = run(&["expect", "from", file]).await;
    assert_eq!(code, 0, "{file}: {stderr}");
    let path = folder.join("derived.yaml");
    std::fs::write(&path, expect).unwrap();
    path
}

#[tokio::test]
async fn what_is_written_from_a_file_holds_for_it_and_for_what_is_exported_of_it() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(FIELD).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // Nothing can be read of these two.
        if name.starts_with("a08") || name.starts_with("a10") {
            continue;
        }
        let file = field(&name);
        let derived = expectation_of(&file, folder.path()).await;
        let derived = text_of(&derived);
        let out = folder.path().join("out");
        let out = text_of(&out);
        let (code, stdout, stderr) = run(&["check", &file, "--expect", derived]).await;
        assert_eq!(code, 0, "{name}: {stdout}{stderr}");
        assert!(stdout.contains("PASS derived"), "{name}: {stdout}");
        for encoding in ["json", "proto"] {
            let arguments = ["export", &file, "--format", encoding, "--out", out];
            let (code, stdout, stderr) = run(&arguments).await;
            assert_eq!((code, stdout.as_str()), (0, ""), "{name}: {stderr}");
            let (code, stdout, stderr) = run(&["check", out, "--expect", derived]).await;
            assert_eq!(code, 0, "{name} as {encoding}: {stdout}{stderr}");
        }
        let (_, shown, _) = run(&["trace", &file, "--format", "otlp"]).await;
        assert_eq!(run(&["export", &file]).await.1, shown, "{name}");
        files += 1;
    }
    assert!(files > 10, "{files}");
}

#[tokio::test]
async fn what_is_left_out_of_a_file_is_told() {
    let (code, _, stderr) = run(&["trace", &field("a11-cut-last-line.jsonl")]).await;
    assert_eq!(code, 0, "{stderr}");
    let words =
        "a11-cut-last-line.jsonl: line 2 is cut off and left out; the file may still be written\n";
    assert!(
        stderr.starts_with("note: ") && stderr.ends_with(words),
        "{stderr}"
    );
    for (name, words) in [
        (
            "a08-library-spans.json",
            "renamed this field to \"scopeSpans\"",
        ),
        (
            "a10-python-console.json",
            "the console exporter of an SDK prints",
        ),
    ] {
        let (code, _, stderr) = run(&["diagnose", &field(name)]).await;
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(words), "{stderr}");
    }
}

#[tokio::test]
async fn of_several_traces_one_is_chosen_by_its_id() {
    let folder = tempfile::TempDir::new().unwrap();
    let one = std::fs::read_to_string(field("x01-no-service-name.json")).unwrap();
    let other = one.replace("813fc60c", "813fc60d");
    let both = folder.path().join("both.json");
    std::fs::write(&both, format!("{one}\n{other}")).unwrap();
    let both = text_of(&both);
    let (code, _, stderr) = run(&["expect", "from", both]).await;
    assert_eq!(code, 2, "{stderr}");
    let id = "5b8efff798038103d269b633813fc60d";
    assert!(
        stderr.contains("there are 2 traces") && stderr.contains(id),
        "{stderr}"
    );
    let (code, expect, stderr) = run(&["expect", "from", id, "--file", both]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(expect.starts_with("expect:\n"), "{expect}");
    let (_, shown, _) = run(&["trace", id, "--file", both, "--format", "json"]).await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["traces"].as_array().unwrap().len(), 1);
    assert_eq!(shown["traces"][0]["trace_id"], id);
    let missing = id.replace('d', "e");
    let (code, _, stderr) = run(&["trace", &missing, "--file", both]).await;
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains(&format!("no trace {missing} in it")),
        "{stderr}"
    );
}

#[tokio::test]
async fn what_only_checks_is_not_run() {
    let folder = tempfile::TempDir::new().unwrap();
    let derived = expectation_of(&field("x01-no-service-name.json"), folder.path()).await;
    let (code, _, stderr) = run(&["run", text_of(&derived)]).await;
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains("it only checks recorded traces"),
        "{stderr}"
    );
    let (code, stdout, stderr) = run(&["scenario", "lint", text_of(&derived)]).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
}

/// A trace with this id: an order whose root fails or not.
fn order(trace: &str, status: u32) -> String {
    format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"shop"}}}}]}},
        "scopeSpans":[{{"spans":[{{"traceId":"{trace}","spanId":"00f067aa0ba902b7","name":"POST /orders","kind":2,
        "startTimeUnixNano":"1790000000000000000","endTimeUnixNano":"1790000000100000000","status":{{"code":{status}}},
        "attributes":[{{"key":"order.id","value":{{"stringValue":"7"}}}}]}}]}}]}}]}}"#
    )
    .replace('\n', "")
}

#[tokio::test]
async fn each_trace_of_an_order_is_checked() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("both.jsonl");
    let good = order("4bf92f3577b34da6a3ce929d0e0e4736", 0);
    let bad = order("5bf92f3577b34da6a3ce929d0e0e4736", 2);
    std::fs::write(&file, format!("{good}\n{bad}\n")).unwrap();
    let expectation = folder.path().join("expect.yaml");
    let tree = "expect: { tree: [{ span: { name: POST /orders }, status: unset }] }\n";
    std::fs::write(&expectation, tree).unwrap();
    let arguments = ["check", text_of(&file), "--expect", text_of(&expectation)];
    let (code, stdout, stderr) = run(&arguments).await;
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(
        stdout.contains("2 traces checked: 1 match, 1 do not"),
        "{stdout}"
    );
}

#[tokio::test]
async fn a_reader_that_has_gone_is_no_error() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("many.jsonl");
    // More than a pipe holds.
    let lines = (0..2_000).map(|n| order(&format!("{:032x}", n + 1), 0) + "\n");
    std::fs::write(&file, lines.collect::<String>()).unwrap();
    for command in ["trace", "export"] {
        let line = format!(
            "set -o pipefail; {} {command} {} | head -n 1",
            crate::support::binary().display(),
            file.display()
        );
        let output = tokio::process::Command::new("bash")
            .args(["-c", &line])
            .output()
            .await
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{command}: {stderr}");
        assert_eq!(stderr, "", "{command}");
    }
}

#[tokio::test]
async fn a_file_that_is_exported_to_is_replaced_only_at_the_end() {
    let folder = tempfile::TempDir::new().unwrap();
    let (file, out) = (folder.path().join("a.json"), folder.path().join("out.json"));
    std::fs::write(&file, order("4bf92f3577b34da6a3ce929d0e0e4736", 0)).unwrap();
    std::fs::write(&out, "before").unwrap();
    let (code, _, stderr) = run(&["export", "/no/such/file", "--out", text_of(&out)]).await;
    assert_eq!(code, 2, "{stderr}");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "before");
    let (code, _, stderr) = run(&["export", text_of(&file), "--out", text_of(&out)]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(
        std::fs::read_to_string(&out)
            .unwrap()
            .contains("POST /orders")
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        2,
        "nothing is left beside it"
    );
    let (code, stdout, stderr) = run(&["export", text_of(&file), "--out", "/dev/stdout"]).await;
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("POST /orders"), "{stdout}");
}
