//! What fuzzing has found worth keeping (`tests/fuzz`), run again.

use testing::corpus::corpus;

use crate::strange::{drawn_from, endure};

#[test]
fn every_file_of_the_corpus_of_the_readers_is_answered() {
    let files = corpus("readers");
    assert!(files.len() > 500, "{}", files.len());
    for bytes in files {
        if let Ok(read) = formats::read_within(&bytes, 1 << 18) {
            endure(&trace::tree::group(read.spans));
        }
    }
}

#[test]
fn every_run_of_the_corpus_of_the_rules_is_diagnosed() {
    let runs = corpus("rules");
    assert!(runs.len() > 500, "{}", runs.len());
    for bytes in runs {
        endure(&drawn_from(&bytes));
    }
}
