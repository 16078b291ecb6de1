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
