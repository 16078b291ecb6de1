//! What fuzzing has found worth keeping (`tests/fuzz`).

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// The files of the corpus of a fuzz target. Tests run in the folder of their package, two below the workspace.
pub fn corpus(target: &str) -> Vec<Vec<u8>> {
    let packed = Path::new("../../tests/fuzz/corpus").join(format!("{target}.tar.zst"));
    let packed = fs::read(packed).unwrap();
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
