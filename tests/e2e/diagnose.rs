//! Diagnosis from the command line: of a running lab and of files, and that both agree.

use serde_json::Value;

use crate::support::{Up, run};

/// Places an order, with or without a fault; returns the id of its trace.
async fn order(up: &Up, fault: Option<&str>) -> String {
    let mut arguments = vec!["order", "--lab", up.page(), "--format", "json"];
    arguments.extend(fault.iter().flat_map(|fault| ["--fault", fault]));
    let (code, stdout, stderr) = run(&arguments).await;
    assert_eq!(code, 0, "{stderr}");
    let placed: Value = serde_json::from_str(&stdout).unwrap();
    placed["trace_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_trace_is_explained_and_held_against_a_healthy_one() {
    let up = Up::start().await;
    let lab = ["--lab", up.page()];
    let healthy = order(&up, None).await;
    let slow = order(&up, Some("slow-provider;latency_ms=700")).await;

    let (code, stdout, stderr) =
        run(&[&["diagnose", &slow, "--format", "json"], &lab[..]].concat()).await;
    assert_eq!(code, 0, "{stderr}");
    let document: Value = serde_json::from_str(&stdout).unwrap();
    let trace = &document["traces"][0];
    assert_eq!(trace["trace_id"], slow.as_str());
    let names: Vec<&str> = trace["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"slow-external"), "{names:?}");
    let walk = trace["walk"].as_array().unwrap();
    let last = walk.last().unwrap();
    let path = trace["critical_path"].as_array().unwrap();
    let spent = path.iter().find(|part| part["span_id"] == *last).unwrap();
    assert_eq!(
        (&spent["service"], &spent["name"]),
        (&"payment".into(), &"POST".into())
    );

    let (code, stdout, _) =
        run(&[&["diagnose", &slow, "--format", "markdown"], &lab[..]].concat()).await;
    assert!(
        code == 0 && stdout.contains("**slow-external**"),
        "{stdout}"
    );

    let compare =
        run(&[&["compare", &healthy, &slow, "--format", "json"], &lab[..]].concat()).await;
    assert_eq!(compare.0, 0, "{}", compare.2);
    let comparison: Value = serde_json::from_str(&compare.1).unwrap();
    let first = &comparison["changes"][0];
    assert_eq!(
        first["path"].as_array().unwrap().last().unwrap(),
        "payment POST"
    );
    assert!(first["explains"].as_f64().unwrap() > 0.5, "{first}");
}

#[tokio::test]
async fn what_cannot_be_diagnosed_is_named() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("page.html");
    std::fs::write(&file, "<html>").unwrap();
    for (arguments, words) in [
        (vec!["diagnose", file.to_str().unwrap()], "neither OTLP"),
        (vec!["diagnose", "deadbeef"], "32 hexadecimal digits"),
        (vec!["diagnose", "nowhere.json"], "nowhere.json"),
        (vec!["diagnose", "--evaluate", "nowhere"], "nowhere"),
        (
            vec!["diagnose", "--evaluate", folder.path().to_str().unwrap()],
            "--traces all",
        ),
        (vec!["compare", "one-only"], "<B>"),
    ] {
        let (code, _, stderr) = run(&arguments).await;
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
    }
}
