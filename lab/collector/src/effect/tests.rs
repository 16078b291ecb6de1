//! What is read from set-ups.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;

use super::*;
use crate::Setup;

fn effect(name: &str) -> CollectorEffect {
    // Tests run in the folder of their package.
    let folder = Path::new("../../collector-config");
    Setup::open(&folder.join(name)).unwrap().effect().unwrap()
}

const ERRORS_AND_SLOW: Sampling = Sampling {
    keeps_errors: true,
    keeps_slower_than: Some(Duration::from_millis(500)),
    share: Some(0.1),
};

#[test]
fn what_the_set_ups_let_through_is_read_from_them() {
    let base = effect("base.yaml");
    assert_eq!(base.sampling, None);
    assert_eq!(base.delay, Duration::from_millis(200));

    let tail = effect("tail-sampling.yaml");
    assert_eq!(tail.decides_after, Duration::from_secs(5));
    assert_eq!(tail.sampling, Some(ERRORS_AND_SLOW));

    let scaled = effect("scaled");
    assert_eq!(scaled.sampling, Some(ERRORS_AND_SLOW));
    assert_eq!(scaled.delay, Duration::from_millis(400));

    let combined = effect("combined.yaml").sampling.unwrap();
    assert_eq!(
        combined,
        Sampling {
            share: None,
            ..ERRORS_AND_SLOW
        }
    );
}

fn of_policies(settings: &str) -> CollectorEffect {
    let head =
        "receivers: { otlp: { protocols: { grpc: { endpoint: '${env:COLLECTOR_OTLP_GRPC}' } } } }";
    let service =
        "service: { pipelines: { traces: { receivers: [otlp], processors: [tail_sampling] } } }";
    of_text(&format!(
        "{head}\nprocessors: {{ tail_sampling: {settings} }}\n{service}\n"
    ))
}

#[test]
fn a_policy_that_drops_wins_wherever_it_stands_and_so_does_a_limit_of_size() {
    for settings in [
        "{ policies: [{ name: a, type: always_sample }, { name: d, type: drop }] }",
        "{ maximum_trace_size_bytes: 100, policies: [{ name: a, type: always_sample }] }",
    ] {
        assert_eq!(
            of_policies(settings).sampling,
            Some(Sampling::UNKNOWN),
            "{settings}"
        );
    }
}

#[test]
fn shares_with_one_salt_keep_the_same_traces() {
    let share = |second: &str| {
        let first = "{ name: a, type: probabilistic, probabilistic: { sampling_percentage: 10 } }";
        let second = format!(
            "{{ name: b, type: probabilistic, probabilistic: {{ sampling_percentage: 20{second} }} }}"
        );
        let settings = format!("{{ policies: [{first}, {second}] }}");
        of_policies(&settings).sampling.unwrap().share.unwrap()
    };
    assert!((share("") - 0.2).abs() < 1e-9);
    assert!((share(", hash_salt: other") - 0.28).abs() < 1e-9);
}

#[test]
fn more_traces_than_a_tail_sampler_holds_may_be_missing() {
    let policies = "policies: [{ name: a, type: always_sample }]";
    let cache = "decision_cache: { sampled_cache_size: 9, non_sampled_cache_size: 9 }";
    let no_cache = of_policies(&format!(
        "{{ num_traces: 3, decision_wait: 1s, {policies} }}"
    ));
    let cached = of_policies(&format!(
        "{{ num_traces: 3, decision_wait: 1s, {cache}, {policies} }}"
    ));
    let blocking = of_policies(&format!(
        "{{ num_traces: 3, block_on_overflow: true, decision_wait: 1s, {policies} }}"
    ));
    let seconds =
        |starts: &[f64]| -> Vec<u64> { starts.iter().map(|start| (start * 1e9) as u64).collect() };
    let (slow, fast) = (
        seconds(&[0.0, 2.0, 4.0, 6.0]),
        seconds(&[0.0, 0.1, 0.2, 0.3]),
    );
    assert_eq!(cached.sampling_of(&slow), None);
    assert_eq!(cached.sampling_of(&fast), Some(Sampling::UNKNOWN));
    assert_eq!(no_cache.sampling_of(&slow), Some(Sampling::UNKNOWN));
    assert_eq!(no_cache.sampling_of(&slow[1..]), None);
    assert_eq!(blocking.sampling_of(&fast), None);
}

#[test]
fn a_threshold_in_the_trace_state_decides_what_the_next_sampler_keeps() {
    let kept = |modes: [(&str, f64); 2]| {
        let [(one, first), (other, second)] = modes;
        let text = format!(
            "
receivers: {{ otlp: {{ protocols: {{ grpc: {{ endpoint: '${{env:COLLECTOR_OTLP_GRPC}}' }} }} }} }}
processors:
  probabilistic_sampler/1: {{ mode: {one}, sampling_percentage: {first} }}
  probabilistic_sampler/2: {{ mode: {other}, sampling_percentage: {second} }}
service:
  pipelines:
    traces: {{ receivers: [otlp], processors: [probabilistic_sampler/1, probabilistic_sampler/2] }}
"
        );
        of_text(&text).sampling.unwrap().share
    };
    assert_eq!(
        kept([("proportional", 50.0), ("hash_seed", 99.0)]),
        Some(0.0)
    );
    assert_eq!(
        kept([("equalizing", 50.0), ("equalizing", 25.0)]),
        Some(0.25)
    );
    assert_eq!(
        kept([("equalizing", 25.0), ("equalizing", 50.0)]),
        Some(0.25)
    );
    assert_eq!(kept([("proportional", 50.0), ("proportional", 50.0)]), None);
    assert_eq!(
        kept([("hash_seed", 50.0), ("equalizing", 25.0)]),
        Some(0.125)
    );
}

#[test]
fn a_sampler_behind_another_receiver_is_not_in_the_way() {
    assert_eq!(effect("head-sampling.yaml").sampling, None);
}

#[test]
fn a_sampler_behind_a_connector_is() {
    let text = "
receivers: { otlp: { protocols: { grpc: { endpoint: '${env:COLLECTOR_OTLP_GRPC}' } } } }
processors: { probabilistic_sampler: { sampling_percentage: 30 }, probabilistic_sampler/all: { sampling_percentage: 100 } }
connectors: { forward: {} }
service:
  pipelines:
    traces/second: { receivers: [forward], processors: [probabilistic_sampler], exporters: [x] }
    traces: { receivers: [otlp], processors: [probabilistic_sampler/all], exporters: [forward] }
";
    let sampling = of_text(text).sampling.unwrap();
    assert_eq!(
        sampling,
        Sampling {
            share: Some(0.3),
            ..Sampling::UNKNOWN
        }
    );
}

#[test]
fn two_samplers_one_after_the_other_keep_what_both_keep() {
    let half = Sampling {
        share: Some(0.5),
        ..Sampling::UNKNOWN
    };
    let both = ERRORS_AND_SLOW.then(half);
    assert_eq!(
        both,
        Sampling {
            share: Some(0.05),
            ..Sampling::UNKNOWN
        }
    );
}

#[test]
fn durations_are_read_as_go_writes_them() {
    let read = |text: &str| duration(&Value::from(text));
    assert_eq!(read("200ms"), Some(Duration::from_millis(200)));
    assert_eq!(read("1m30s"), Some(Duration::from_secs(90)));
    assert_eq!(read("1.5s"), Some(Duration::from_millis(1_500)));
    assert_eq!(read("1.5m30s"), Some(Duration::from_secs(120)));
    assert_eq!(
        read("${env:TRACELAB_NOT_SET:-5s}"),
        Some(Duration::from_secs(5))
    );
    for text in ["soon", "-5s", "5s-", "5"] {
        assert_eq!(read(text), None, "{text}");
    }
}

// === An absent receiver ===

/// The spans of a second at 20 orders a second: an order, its cart included, has 43.
const SPANS_A_SECOND: u64 = 20 * 43;

/// How long a receiver may be away: five minutes. Then gRPC may wait for up to 120 s, and a fifth more, before it
/// connects again, and the exporter for half more than `max_interval` before it sends.
fn away(max_interval: Duration) -> Duration {
    Duration::from_secs(300) + Duration::from_secs(144) + max_interval * 3 / 2
}

/// The bytes of memory that a span takes in a queue, measured with the Collector 0.161.0: of the shop's at most this,
/// and of any at least this.
const BYTES_OF_A_SPAN: [u64; 2] = [1_000, 250];

#[test]
fn every_exporter_of_a_set_up_holds_five_minutes_of_twenty_orders_a_second() {
    // Tests run in the folder of their package.
    let folder = Path::new("../../collector-config");
    let files = [folder.to_owned(), folder.join("scaled")].map(|folder| {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path())
    });
    let mut exporters = 0;
    for path in files.into_iter().flatten() {
        if path.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        let shown = path.display();
        let file = yaml::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let (mut held, mut most) = (0, 0);
        for (name, exporter) in pairs(&file["exporters"]) {
            let exporter = match kind(name) {
                // Prometheus asks for its metrics.
                "prometheus" => continue,
                "load_balancing" => &exporter["protocol"]["otlp"],
                _ => exporter,
            };
            let queue = &exporter["sending_queue"];
            let retry = &exporter["retry_on_failure"];
            let time = |key: &str| duration(&retry[key]).expect("it is set");
            let away = away(time("max_interval"));
            assert_eq!(queue["sizer"], "items", "{shown}: {name}");
            let spans = number_of(&queue["queue_size"]).unwrap();
            held = SPANS_A_SECOND * away.as_secs();
            assert!(spans >= held, "{shown}: {name}: {spans} < {held}");
            most = spans;
            assert!(time("max_elapsed_time") >= away, "{shown}: {name}");
            exporters += 1;
        }
        let limiter = &file["processors"]["memory_limiter"];
        let mib = |key: &str| number_of(&limiter[key]).unwrap();
        let soft = (mib("limit_mib") - mib("spike_limit_mib")) << 20;
        let [of_the_shop, of_any] = BYTES_OF_A_SPAN;
        assert!(soft >= held * of_the_shop, "{shown}: {soft} bytes");
        // Behind `batch` no sender is told that a queue is full, so the memory must be full before.
        assert!(soft <= most * of_any, "{shown}: {soft} bytes");
    }
    assert_eq!(exporters, 22, "exporters that send");
}
