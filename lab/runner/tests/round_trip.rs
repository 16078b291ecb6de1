//! Every recording of the repository fulfils the expectation that is written from it, as it is and after a way
//! through each format that can be written.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::{Path, PathBuf};

use expect::Verdict;
use trace::{Span, Trace, otlp, tree};

/// All files below a folder that hold traces.
fn recordings(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(recordings(&path));
        } else if name.ends_with(".zst") || name.ends_with(".otlp.json") {
            found.push(path);
        }
    }
    found
}

fn read(bytes: &[u8]) -> Vec<Span> {
    let read = formats::read(bytes).unwrap();
    assert_eq!(read.notes, []);
    read.spans
}

/// The same trace after a way through each format that `tracelab export` writes.
fn written(trace: &Trace) -> [(&'static str, Vec<Span>); 2] {
    let json = otlp::to_json(trace.spans());
    let protobuf = otlp::to_protobuf(trace.spans());
    [
        ("OTLP/JSON", read(json.as_bytes())),
        ("OTLP protobuf", read(&protobuf)),
    ]
}

#[test]
fn a_recording_passes_what_is_written_from_it() {
    // Tests run in the folder of their package.
    let folders = ["../../tests/labelled", "../../tests/corpus"].map(Path::new);
    let files: Vec<PathBuf> = folders.into_iter().flat_map(recordings).collect();
    assert!(files.len() > 50, "{}", files.len());
    let mut checked = 0;
    for file in files {
        for trace in tree::group(read(&std::fs::read(&file).unwrap())) {
            let name = format!("{} {}", file.display(), trace.id());
            let text = expect::derive(&trace);
            let scenario = scenario::parse_to_check("derived.yaml", &text)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let verdict = |spans: Vec<Span>, how: &str| {
                let (reports, checked) = runner::check_spans(&spans, &scenario).unwrap();
                let verdict = checked.verdict();
                assert_eq!(verdict, Verdict::Pass, "{name}, {how}: {reports:?}");
            };
            verdict(trace.spans().to_vec(), "as it is");
            for (how, spans) in written(&trace) {
                verdict(spans, how);
            }
            checked += 1;
        }
    }
    assert!(checked > 1_000, "{checked}");
}
