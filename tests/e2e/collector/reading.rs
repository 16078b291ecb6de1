//! What a run reads from a set-up beside what the real Collector does with it, where one would guess otherwise.

use std::collections::HashMap;

use collector::{CollectorEffect, Sampling, Setup};

use super::{
    rig::{Made, Rig, request, there_is_a_collector},
    sampling::{MADE, assert_is_share, made},
};

/// A set-up with these processors, in their order.
fn file(processors: &str, order: &str) -> String {
    format!(
        "
receivers:
  otlp:
    protocols:
      grpc: {{ endpoint: '${{env:COLLECTOR_OTLP_GRPC:-127.0.0.1:14317}}' }}
      http: {{ endpoint: '${{env:COLLECTOR_OTLP_HTTP:-127.0.0.1:14318}}' }}
processors:
{processors}
  batch: {{ timeout: 200ms }}
exporters:
  otlp_grpc/lab: {{ endpoint: '${{env:LAB_OTLP_GRPC:-127.0.0.1:4317}}', tls: {{ insecure: true }} }}
service:
  pipelines:
    traces: {{ receivers: [otlp], processors: [{order}, batch], exporters: [otlp_grpc/lab] }}
"
    )
}

/// Sends the made traces through the set-up, each whole: what is read from it, and the ids of those that came, with
/// what they are. `None` without a Collector, which is said.
async fn through(text: &str) -> Option<(CollectorEffect, HashMap<String, Made>)> {
    if !there_is_a_collector() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set-up.yaml");
    std::fs::write(&path, text).unwrap();
    let effect = Setup::open(&path).unwrap().effect().unwrap();
    let rig = Rig::start(path.to_str().unwrap(), &[]).await;
    let made = made();
    let all: Vec<(String, Made)> = made.iter().map(|(id, made)| (id.clone(), *made)).collect();
    for part in all.chunks(250) {
        rig.send(&request(part)).await;
    }
    // When it stops, a tail sampler decides on what it holds.
    let came = rig.stop().await.into_iter();
    let came = came.map(|trace| trace.id().to_string());
    let came = came.map(|id| (id.clone(), made[&id]));
    Some((effect, came.collect()))
}

fn share(effect: &CollectorEffect) -> f64 {
    effect.sampling.unwrap().share.unwrap()
}

fn may_lose_any(effect: &CollectorEffect, traces: u64) -> bool {
    let starts = vec![0; usize::try_from(traces).unwrap()];
    let sampling = effect.sampling_of(&starts);
    sampling.is_some_and(|Sampling { keeps_errors, .. }| !keeps_errors)
}

#[tokio::test]
async fn a_policy_that_drops_wins_over_the_one_before_it() {
    let policies = "
  tail_sampling:
    decision_wait: 1s
    policies:
      - { name: all, type: always_sample }
      - name: no-errors
        type: drop
        drop:
          drop_sub_policy:
            - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }";
    let Some((effect, came)) = through(&file(policies, "tail_sampling")).await else {
        return;
    };
    let failed = came.values().filter(|made| **made == Made::Failed).count();
    assert_eq!((failed, came.len() as u64), (0, MADE * 9 / 10));
    assert!(may_lose_any(&effect, MADE));
}

#[tokio::test]
async fn a_limit_of_size_drops_what_every_policy_keeps() {
    let policies = "
  tail_sampling:
    decision_wait: 1s
    maximum_trace_size_bytes: 10
    policies: [{ name: all, type: always_sample }]";
    let Some((effect, came)) = through(&file(policies, "tail_sampling")).await else {
        return;
    };
    assert!(came.is_empty(), "{} came", came.len());
    assert!(may_lose_any(&effect, MADE));
}

#[tokio::test]
async fn a_tail_sampler_without_room_loses_errors_too() {
    let policies = "
  tail_sampling:
    decision_wait: 60s
    num_traces: 100
    policies: [{ name: errors, type: status_code, status_code: { status_codes: [ERROR] } }]";
    let Some((effect, came)) = through(&file(policies, "tail_sampling")).await else {
        return;
    };
    let failed = came.values().filter(|made| **made == Made::Failed).count() as u64;
    assert!(failed < MADE / 10, "all {failed} came");
    assert!(may_lose_any(&effect, MADE));
    assert!(!may_lose_any(&effect, 100));
}

#[tokio::test]
async fn a_full_tail_sampler_that_makes_its_senders_wait_loses_nothing() {
    let policies = "
  tail_sampling:
    decision_wait: 1s
    num_traces: 1000
    block_on_overflow: true
    decision_cache: { sampled_cache_size: 10000, non_sampled_cache_size: 10000 }
    policies: [{ name: errors, type: status_code, status_code: { status_codes: [ERROR] } }]";
    let Some((effect, came)) = through(&file(policies, "tail_sampling")).await else {
        return;
    };
    assert_eq!(came.len() as u64, MADE / 10);
    assert!(came.values().all(|made| *made == Made::Failed));
    assert!(!may_lose_any(&effect, MADE));
}

#[tokio::test]
async fn two_shares_with_one_salt_keep_the_same_traces() {
    let policies = "
  tail_sampling:
    decision_wait: 1s
    policies:
      - { name: one, type: probabilistic, probabilistic: { sampling_percentage: 20 } }
      - { name: other, type: probabilistic, probabilistic: { sampling_percentage: 20 } }";
    let Some((effect, came)) = through(&file(policies, "tail_sampling")).await else {
        return;
    };
    assert!((share(&effect) - 0.2).abs() < 1e-9);
    assert_is_share(came.len(), made().len(), share(&effect));
}

#[tokio::test]
async fn a_hash_seed_sampler_keeps_nothing_that_carries_a_threshold() {
    let samplers = "
  probabilistic_sampler/half: { mode: proportional, sampling_percentage: 50 }
  probabilistic_sampler/all: { mode: hash_seed, sampling_percentage: 100 }";
    let order = "probabilistic_sampler/half, probabilistic_sampler/all";
    let Some((effect, came)) = through(&file(samplers, order)).await else {
        return;
    };
    assert!(came.is_empty(), "{} came", came.len());
    assert_eq!(share(&effect), 0.0);
}

#[tokio::test]
async fn an_equalizing_sampler_keeps_the_smaller_of_both_shares() {
    let samplers = "
  probabilistic_sampler/first: { mode: equalizing, sampling_percentage: 25 }
  probabilistic_sampler/second: { mode: equalizing, sampling_percentage: 50 }";
    let order = "probabilistic_sampler/first, probabilistic_sampler/second";
    let Some((effect, came)) = through(&file(samplers, order)).await else {
        return;
    };
    assert_eq!(share(&effect), 0.25);
    assert_is_share(came.len(), made().len(), 0.25);
}
