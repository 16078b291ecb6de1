//! `redact.yaml`: secrets are removed, whatever their key and their place, and nothing else is.

use std::path::Path;

use serde_json::json;
use trace::Value;

use super::rig::{Rig, id, set_up, there_is_a_collector};
use crate::support::{eventually, run_with};

/// The card of the load generator's customers, as `leaked-secret` records it.
const CARD: &str = "4242";

/// All traces of the faulty phase, as `run --out` stored them.
fn traces(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder.join("leaked-secret/faulty")).unwrap();
    files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(".otlp.json"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

#[tokio::test]
async fn the_leaked_secret_comes_out_nowhere() {
    if !there_is_a_collector() {
        return;
    }
    for (file, verdict, with_secret) in [("base.yaml", "pass", 3), ("redact.yaml", "fail", 0)] {
        let out = tempfile::TempDir::new().unwrap();
        let via = set_up(file);
        let (_, report, stderr) = run_with(
            &[],
            &[
                "run",
                "leaked-secret",
                "--only",
                "faulty",
                "--requests",
                "3",
                "--pace",
                "none",
                "--patience",
                "3",
                "--traces",
                "all",
                "--via",
                via.to_str().unwrap(),
                "--out",
                out.path().to_str().unwrap(),
            ],
        )
        .await;
        // The scenario expects the secret, so it fails without it.
        assert_eq!(report["verdict"], verdict, "{file}: {report}{stderr}");
        let traces = traces(out.path());
        assert_eq!(traces.len(), 3, "{file}");
        let is_whole =
            |trace: &&String| trace.contains("validate card") && trace.contains("send mail");
        assert_eq!(traces.iter().filter(is_whole).count(), 3, "{file}");
        let leaks = |trace: &&String| {
            let digits: String = trace.split([' ', '-']).collect();
            digits.contains(&CARD.repeat(4)) || trace.contains("card.number")
        };
        assert_eq!(traces.iter().filter(leaks).count(), with_secret, "{file}");
    }
}

#[tokio::test]
async fn what_is_no_secret_passes_as_it_is() {
    if !there_is_a_collector() {
        return;
    }
    let redact = set_up("redact.yaml");
    let (code, report, stderr) = run_with(
        &[],
        &[
            "run",
            "checkout",
            "--requests",
            "5",
            "--pace",
            "none",
            "--via",
            redact.to_str().unwrap(),
        ],
    )
    .await;
    assert_eq!(code, 0, "{report}{stderr}");
    assert_eq!(report["scenarios"][0]["passed"], 5);
}

#[tokio::test]
async fn a_card_number_is_found_under_any_key_and_what_only_looks_like_one_stays() {
    if !there_is_a_collector() {
        return;
    }
    let rig = Rig::start("redact.yaml", &[]).await;
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let harmless = [
        ("order.id", "0b5c4242-4242-4242-8424-242424242424"),
        ("trace", "4242424242424242424242424242424242"),
        ("number", "1234567890123456"),
        ("phone", "4242 4242"),
    ];
    let mut attributes = vec![
        text("note", "paid with 4111 1111 1111 1111, thanks"),
        text("card.number", "5500-0055-5555-5559"),
        text("header", "Bearer abc.DEF-123"),
        text("amex", "3782 822463 10005"),
        json!({ "key": "as.number", "value": { "intValue": "4000000000000002" } }),
    ];
    attributes.extend(harmless.map(|(key, value)| text(key, value)));
    rig.send(&json!({ "resourceSpans": [{
        "resource": { "attributes": [text("service.name", "made"), text("host", "6011000990139424")] },
        "scopeSpans": [{
            "scope": { "name": "s", "attributes": [text("scope", "4111111111111111")] },
            "spans": [{ "traceId": id(1), "spanId": "00000000000000a1", "name": "n", "kind": 2,
                "startTimeUnixNano": "1", "endTimeUnixNano": "2", "attributes": attributes,
                "events": [{ "timeUnixNano": "1", "name": "e",
                    "attributes": [text("exception.message", "card 4111111111111111 refused")] }] }],
        }],
    }] }))
    .await;
    let trace = eventually("the span", async || rig.store.trace(id(1).parse().unwrap())).await;
    let span = &trace.spans()[0];
    let said = format!("{span:?}");
    for secret in [
        "1111",
        "5559",
        "abc.DEF",
        "822463",
        "4000000000000002",
        "6011000990139424",
    ] {
        assert!(!said.contains(secret), "{secret} is still in {said}");
    }
    assert!(said.contains("paid with ****, thanks"), "{said}");
    for (key, value) in harmless {
        assert_eq!(
            span.attributes.get(key).and_then(Value::as_str),
            Some(value)
        );
    }
}
