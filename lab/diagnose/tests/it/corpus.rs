//! What fuzzing has found worth keeping (`tests/fuzz`), run again.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use crate::strange::{drawn_from, endure};

/// The files of a corpus.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    // Tests run in the folder of their package.
    let packed = Path::new("../../tests/fuzz/corpus");
    let packed = fs::read(packed.join(name)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut tar = Command::new("tar")
        .args(["--extract", "--file", "-", "--directory"])
        .arg(folder.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes = zstd::decode_all(&packed[..]).unwrap();
    tar.stdin.take().unwrap().write_all(&bytes).unwrap();
    assert!(tar.wait().unwrap().success());
    let files = fs::read_dir(folder.path()).unwrap();
    files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn every_file_of_the_corpus_of_the_readers_is_answered() {
    let files = corpus("readers.tar.zst");
    assert!(files.len() > 500, "{}", files.len());
    for bytes in files {
        if let Ok(read) = formats::read_within(&bytes, 1 << 18) {
            endure(&trace::tree::group(read.spans));
        }
    }
}

#[test]
fn every_run_of_the_corpus_of_the_rules_is_diagnosed() {
    let runs = corpus("rules.tar.zst");
    assert!(runs.len() > 500, "{}", runs.len());
    for bytes in runs {
        endure(&drawn_from(&bytes));
    }
}
