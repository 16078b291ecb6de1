//! The rules on recorded traces of which it is known what is wrong: those of every scenario in all its
//! phases, and those of programs that are not the shop.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;

use diagnose::{THRESHOLDS, evaluate};

#[test]
fn every_rule_is_right_on_every_recorded_trace() {
    // Tests run in the folder of their package.
    let folder = Path::new("../../tests/labelled");
    let groups = runner::labelled(folder).unwrap();
    let evaluation = evaluate::evaluate(&groups, &THRESHOLDS);
    assert!(evaluation.is_perfect(), "{}", evaluate::text(&evaluation));
    // Each rule has traces on which it must speak.
    for rule in diagnose::catalogue() {
        let score = evaluation.rules.get(rule.name);
        assert!(
            score.is_some_and(|score| score.true_positives > 0),
            "{} is on no recorded trace",
            rule.name
        );
    }
}

#[test]
fn a_folder_without_labelled_traces_is_named() {
    let nowhere = runner::labelled(Path::new("/nowhere")).unwrap_err();
    assert!(nowhere.to_string().contains("/nowhere"), "{nowhere}");
    let empty = std::env::temp_dir().join(format!("tracelab-labels-{}", std::process::id()));
    std::fs::create_dir_all(&empty).unwrap();
    let error = runner::labelled(&empty).unwrap_err();
    std::fs::remove_dir_all(&empty).unwrap();
    assert!(error.to_string().contains("--traces all"), "{error}");
}
