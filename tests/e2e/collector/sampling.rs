//! `tail-sampling.yaml`, `combined.yaml` and `head-sampling.yaml`: traces that must be kept are kept whole,
//! and of the others the share that the file sets.
//!
//! Shares are measured on many artificial traces, with bounds that one run in ten million would miss by
//! chance; the shop's own traces show that the shop is sampled in the same way.

use std::collections::HashMap;

use trace::Trace;

use super::rig::{Made, Rig, id, request, set_up, there_is_a_collector};
use crate::support::{eventually, run_with};

/// The allowed deviation of a share, in standard deviations: one run in ten million exceeds it.
const DEVIATIONS: f64 = 5.4;

/// The number of artificial traces.
pub(super) const MADE: u64 = 2_000;

pub(super) fn assert_is_share(kept: usize, of: usize, share: f64) {
    let (kept, of) = (kept as f64, of as f64);
    let off = (kept - of * share).abs() / (of * share * (1.0 - share)).sqrt();
    assert!(
        off <= DEVIATIONS,
        "{kept} of {of} is {off:.1} deviations from {share}"
    );
}

/// One in ten fails, one in ten is slow.
pub(super) fn made() -> HashMap<String, Made> {
    let of = |number: u64| match number % 10 {
        0 => Made::Failed,
        1 => Made::Slow,
        _ => Made::Healthy,
    };
    (0..MADE).map(|number| (id(number), of(number))).collect()
}

/// Sends all traces, each in two halves, through a set-up that waits for a second; returns what came out
/// after all were decided.
async fn through(file: &str, made: &HashMap<String, Made>) -> HashMap<String, Trace> {
    let rig = Rig::start(file, &[("TAIL_SAMPLING_WAIT", "1s")]).await;
    let all: Vec<(String, Made)> = made.iter().map(|(id, made)| (id.clone(), *made)).collect();
    for part in all.chunks(250) {
        let whole = request(part);
        for half in 0..2 {
            let mut request = whole.clone();
            let spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array_mut();
            let spans = spans.unwrap();
            *spans = spans.iter().skip(half).step_by(2).cloned().collect();
            rig.send(&request).await;
        }
    }
    // The trace that is sent last is decided last.
    let last = id(MADE + 1);
    rig.send(&request(&[(last.clone(), Made::Failed)])).await;
    let last = last.parse().unwrap();
    eventually("the last trace", async || rig.store.trace(last)).await;
    let came = rig.stop().await.into_iter();
    came.filter(|trace| trace.id() != last)
        .map(|trace| (trace.id().to_string(), trace))
        .collect()
}

/// Checks that all traces of a kind came with both spans; returns the number of healthy ones.
fn assert_bad_ones_are_kept(made: &HashMap<String, Made>, came: &HashMap<String, Trace>) -> usize {
    for (id, made) in made.iter().filter(|(_, made)| **made != Made::Healthy) {
        assert!(came.contains_key(id), "{made:?} {id} is missing");
    }
    for (id, trace) in came {
        assert_eq!(trace.spans().len(), 2, "{id} came in part: {:?}", made[id]);
    }
    came.keys().filter(|id| made[*id] == Made::Healthy).count()
}

#[tokio::test]
async fn tail_sampling_keeps_all_errors_and_slow_ones_whole_and_a_tenth_of_the_rest() {
    if !there_is_a_collector() {
        return;
    }
    let made = made();
    let came = through("tail-sampling.yaml", &made).await;
    let healthy = assert_bad_ones_are_kept(&made, &came);
    assert_is_share(healthy, 1_600, 0.1);
}

#[tokio::test]
async fn combined_keeps_the_same_and_a_baseline_that_can_be_told_apart() {
    if !there_is_a_collector() {
        return;
    }
    let made = made();
    let came = through("combined.yaml", &made).await;
    assert_bad_ones_are_kept(&made, &came);
    for (id, made) in &made {
        let is_of_baseline = id.ends_with('0');
        let wanted = is_of_baseline || *made != Made::Healthy;
        assert_eq!(came.contains_key(id), wanted, "{made:?} {id}");
    }
    for (id, trace) in &came {
        for span in trace.spans() {
            let says = span.attributes.get("sampling.baseline").is_some();
            assert_eq!(says, id.ends_with('0'), "{id}");
        }
    }
    let baseline = came.keys().filter(|id| id.ends_with('0')).count();
    assert_is_share(baseline, made.len(), 1.0 / 16.0);
}

#[tokio::test]
async fn probabilistic_sampler_keeps_a_quarter_and_says_so_in_tracestate() {
    if !there_is_a_collector() {
        return;
    }
    let rig = Rig::start("head-sampling.yaml", &[]).await;
    let made: Vec<(String, Made)> = made().into_iter().collect();
    // Its receiver speaks gRPC, which another Collector sends.
    let undecided = rig.url("COLLECTOR_UNDECIDED_GRPC");
    let before = Rig::start(
        "base.yaml",
        &[("LAB_OTLP_GRPC", undecided.trim_start_matches("http://"))],
    )
    .await;
    for part in made.chunks(250) {
        before.send(&request(part)).await;
    }
    before.stop().await;
    let came = rig.stop().await;
    assert_is_share(came.len(), made.len(), 0.25);
    for trace in &came {
        assert_eq!(trace.spans().len(), 2, "{} came in part", trace.id());
        for span in trace.spans() {
            assert!(span.trace_state.contains("ot=th:c"), "{}", span.trace_state);
        }
    }
}

#[tokio::test]
async fn where_the_services_decide_what_they_decided_for_is_there_and_nothing_else() {
    if !there_is_a_collector() {
        return;
    }
    let file = set_up("head-sampling.yaml");
    let (code, report, stderr) = run_with(
        &[
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ],
        &[
            "run",
            "checkout",
            "--requests",
            "200",
            "--pace",
            "none",
            "--via",
            file.to_str().unwrap(),
        ],
    )
    .await;
    assert_eq!(code, 0, "{report}{stderr}");
    let phase = &report["scenarios"][0];
    let count = |field: &str| usize::try_from(phase[field].as_u64().unwrap()).unwrap();
    assert_eq!(count("traces") + count("left_out"), 200, "{phase}");
    assert_eq!(count("passed"), count("traces"), "{phase}");
    assert_is_share(count("traces"), 200, 0.25);
}

#[tokio::test]
async fn a_run_through_a_tail_sampler_knows_what_may_be_missing() {
    if !there_is_a_collector() {
        return;
    }
    let run_via = async |file: &std::path::Path| {
        run_with(
            &[("TAIL_SAMPLING_WAIT", "2s")],
            &[
                "run",
                "checkout",
                "panic",
                "card-declined",
                "--requests",
                "30",
                "--only",
                "faulty",
                "--pace",
                "none",
                "--patience",
                "5",
                "--via",
                file.to_str().unwrap(),
            ],
        )
        .await
    };
    let (code, report, stderr) = run_via(&set_up("tail-sampling.yaml")).await;
    assert_eq!(code, 0, "{report}{stderr}");
    let phase = |name: &str| {
        let phases = report["scenarios"].as_array().unwrap();
        phases.iter().find(|phase| phase["name"] == name).unwrap()
    };
    for failing in ["panic", "card-declined"] {
        assert_eq!(phase(failing)["passed"], 30, "every error is kept");
        assert!(phase(failing)["left_out"].is_null());
    }
    assert!(
        phase("checkout")["left_out"].as_u64().unwrap() > 0,
        "{report}"
    );

    // A Collector whose policy promises to keep errors, but never sees them, is detected.
    let folder = tempfile::TempDir::new().unwrap();
    let broken = folder.path().join("broken.yaml");
    let text = std::fs::read_to_string(set_up("tail-sampling.yaml")).unwrap();
    let hides = "  transform: { trace_statements: ['set(span.status.code, STATUS_CODE_UNSET)'] }";
    let text = text
        .replace("\nprocessors:\n", &format!("\nprocessors:\n{hides}\n"))
        .replace(
            "[memory_limiter, tail_sampling, batch]",
            "[memory_limiter, transform, tail_sampling, batch]",
        );
    std::fs::write(&broken, text).unwrap();
    let (code, report, stderr) = run_via(&broken).await;
    assert_eq!(code, 1, "{report}{stderr}");
    let phases = report["scenarios"].as_array().unwrap();
    let panic = phases.iter().find(|phase| phase["name"] == "panic");
    assert!(panic.unwrap()["failed"].as_u64().unwrap() > 0, "{report}");
}
