//! The kinds of benchmarks, each for a short time, with the receiving end as the system under test.

use serde_json::Value;

use super::{assert_closed, bench, reasons};

/// As [`bench`], of one line.
async fn bench_line(line: &str) -> (i32, Value, String) {
    let arguments: Vec<&str> = line.split(' ').collect();
    bench(&arguments).await
}

/// Checks the accounts and the state of a result. Without cores of their own it says nothing on fewer than four
/// processors.
fn assert_sound((code, document, said): &(i32, Value, String), of_cores: bool) {
    let mut reasons = reasons(document);
    reasons.retain(|reason| !(of_cores && reason.contains("are not kept apart (--cpus)")));
    assert_eq!(reasons, Vec::<String>::new(), "{said}");
    assert_closed(document);
    assert_eq!(document["complete"], true);
    assert_eq!(*code == 3, document["valid"] == false, "{code}: {said}");
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[tokio::test]
async fn a_capacity_is_a_rate_that_held_and_is_below_all_that_did_not() {
    // The limit is one that each machine meets.
    let line = "capacity --start 8k/s --limit rate<=30k/s --precision 30% --confirmations 2 --duration 300ms --warm-up 0s";
    let result = bench_line(line).await;
    assert_sound(&result, true);
    let (code, document, said) = result;
    assert!(code == 0 || code == 3, "{code}: {said}");
    let capacity = &document["capacity"];
    let found = number(&capacity["spans_per_second"]);
    let fails_at = number(&capacity["fails_at"]);
    assert!(found < fails_at, "{capacity:#}");
    assert!(fails_at <= found * 1.3, "{capacity:#}");
    assert_eq!(capacity["confirmed"], serde_json::json!([2, 2]));
    let steps = capacity["steps"].as_array().unwrap();
    assert_eq!(steps.len(), document["runs"].as_array().unwrap().len());
    assert_eq!(number(&steps[0]["rate"]), 8_000.0);
    for step in steps {
        let run = &document["runs"][step["run"].as_u64().unwrap() as usize];
        assert_eq!(run["rate"], step["rate"]);
        let holds = number(&run["spans_per_second"]) <= 30_000.0 && run["valid"] == true;
        assert_eq!(step["holds"], holds, "{step}");
        assert_eq!(step["why"] == "", holds, "{step}");
    }
}

#[tokio::test]
async fn limits_that_never_hold_have_no_capacity() {
    let line = "capacity --start 1k/s --limit rate>=1000M/s --confirmations 1 --duration 100ms --warm-up 0s";
    let result = bench_line(line).await;
    assert_sound(&result, true);
    let (code, document, said) = result;
    assert!(code == 1 || code == 3, "{code}: {said}");
    assert_eq!(document["capacity"]["spans_per_second"], Value::Null);
    let steps = document["capacity"]["steps"].as_array().unwrap();
    assert_eq!(number(&steps.last().unwrap()["rate"]), 100.0);
    assert!(steps.iter().all(|step| step["holds"] == false));
    assert!(
        said.contains("1000 spans/s do not hold: rate>=1000M/s: "),
        "{said}"
    );
}

#[tokio::test]
async fn a_spike_is_sent_in_the_middle_of_its_load() {
    let line = "spike --rate 5k/s --factor 4 --burst 400ms --duration 1500ms --warm-up 0s";
    let result = bench_line(line).await;
    assert_sound(&result, false);
    let (_, document, _) = result;
    let spike = &document["spike"];
    for (name, wanted) in [
        ("base_rate", 5_000.0),
        ("burst_rate", 20_000.0),
        ("began_ms", 500.0),
        ("ended_ms", 900.0),
    ] {
        assert_eq!(number(&spike[name]), wanted, "{name}");
    }
    let planned = 5_000.0 * 0.5 + 20_000.0 * 0.4 + 5_000.0 * 0.6;
    assert_eq!(number(&document["runs"][0]["accounts"]["planned"]), planned);
}

#[tokio::test]
async fn a_soak_says_what_memory_does_or_that_it_was_too_short_for_that() {
    let result = bench_line("soak --rate 2k/s --duration 1s --warm-up 0s").await;
    assert_sound(&result, false);
    let (_, document, _) = result;
    assert_eq!(document["soak"], Value::Null);
    let notes = document["runs"][0]["notes"].to_string();
    assert!(
        notes.contains("too short to tell whether memory grows"),
        "{notes}"
    );

    let result = bench_line("soak --rate 2k/s --duration 22s --warm-up 0s").await;
    assert_sound(&result, false);
    let (_, document, _) = result;
    let verdict = document["soak"]["verdict"].as_str().unwrap_or_default();
    // A machine that stands still takes too few samples.
    let series = document["runs"][0]["series"].as_array().unwrap().len();
    let known = ["grows", "shrinks", "no growth seen"];
    assert!(known.contains(&verdict) || series < 42, "{document:#}");
}

#[tokio::test]
async fn two_systems_are_loaded_by_turns_in_blocks_of_a_b_b_a() {
    let result = bench_line("ab --rate 5k/s --blocks 3 --duration 3s --warm-up 0s").await;
    assert_sound(&result, true);
    let (_, document, _) = result;
    let runs = document["runs"].as_array().unwrap();
    let labels: Vec<&str> = runs
        .iter()
        .map(|run| run["label"].as_str().unwrap())
        .collect();
    let wanted: Vec<String> = (1..=3)
        .flat_map(|block| ["A", "B", "B", "A"].map(|arm| format!("{arm}, block {block}")))
        .collect();
    assert_eq!(labels, wanted);
    for run in runs {
        assert_eq!(number(&run["accounts"]["planned"]), 1_250.0);
    }
    let ab = &document["ab"];
    assert_eq!(ab["metric"], "CPU time a span");
    assert_eq!(ab["pairs"].as_array().unwrap().len(), 3);
    let [low, ratio, high] = ["low", "ratio", "high"].map(|name| number(&ab[name]));
    assert!(low <= ratio && ratio <= high, "{ab:#}");
}
