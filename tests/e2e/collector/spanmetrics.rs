//! `spanmetrics.yaml`: the metrics agree with the traces, and their exemplars name existing traces.

use std::collections::{BTreeMap, HashSet};

use trace::{Kind, Span, StatusCode, Trace};

use super::rig::{Rig, there_is_a_collector};
use crate::support::{Up, eventually};

/// Service, span name, kind and status.
type Series = (String, String, String, String);

#[derive(Debug, Default, PartialEq)]
struct Measured {
    calls: f64,
    total_ms: f64,
}

#[tokio::test]
async fn counts_and_durations_are_those_of_the_traces_and_exemplars_name_them() {
    if !there_is_a_collector() {
        return;
    }
    let rig = Rig::start("spanmetrics.yaml", &[("SPANMETRICS_INTERVAL", "300ms")]).await;
    let up = Up::start_with(&["--otlp", &rig.url("COLLECTOR_OTLP_GRPC")]).await;
    let url = format!("{}/metrics", rig.url("COLLECTOR_PROMETHEUS"));
    // Exemplars exist only for the last interval, so they are collected while the shop is busy.
    let exemplars = eventually("exemplars", async || {
        up.order().await.expect(201);
        let found = exemplars_in(&scrape(&url).await?);
        (!found.is_empty()).then_some(found)
    })
    .await;
    let failed = up.checkout("no-such-cart").await;
    assert_ne!(failed.status, 201);
    // When the shop has stopped, all its spans are sent.
    up.stop().await;

    let of_traces = eventually("metrics that say what the traces say", async || {
        let text = scrape(&url).await?;
        let of_traces = measure(&all(&rig));
        let of_metrics = read(&text);
        let same = of_metrics.len() == of_traces.len()
            && of_traces.iter().all(|(series, trace)| {
                of_metrics.get(series).is_some_and(|metric| {
                    // A sum of floating-point numbers, in any order.
                    metric.calls == trace.calls
                        && (metric.total_ms - trace.total_ms).abs()
                            <= 1e-6 * trace.total_ms.max(1.0)
                })
            });
        (same && !of_traces.is_empty()).then_some(of_traces)
    })
    .await;

    let orders = (
        "checkout",
        "POST /checkout",
        "SPAN_KIND_SERVER",
        "STATUS_CODE_UNSET",
    );
    let (service, name, kind, status) = orders;
    let orders = (service.into(), name.into(), kind.into(), status.into());
    assert!(of_traces[&orders].calls >= 1.0, "{of_traces:?}");

    let ids: HashSet<String> = all(&rig)
        .iter()
        .map(|trace| trace.id().to_string())
        .collect();
    for exemplar in exemplars {
        assert!(
            ids.contains(&exemplar),
            "{exemplar} is no trace that came out"
        );
    }
}

/// The metrics in the format for Prometheus, with exemplars.
async fn scrape(url: &str) -> Option<String> {
    let request = reqwest::Client::new()
        .get(url)
        .header("accept", "application/openmetrics-text; version=1.0.0");
    request.send().await.ok()?.text().await.ok()
}

/// The trace ids of the exemplars.
fn exemplars_in(text: &str) -> HashSet<String> {
    text.lines()
        .filter_map(|line| line.split_once(" # ")?.1.split_once("trace_id=\""))
        .filter_map(|(_, rest)| rest.split('"').next())
        .map(str::to_owned)
        .collect()
}

fn all(rig: &Rig) -> Vec<Trace> {
    let ids = rig.store.trace_ids();
    ids.into_iter()
        .filter_map(|id| rig.store.trace(id))
        .collect()
}

/// The numbers from the traces.
fn measure(traces: &[Trace]) -> BTreeMap<Series, Measured> {
    let mut measured: BTreeMap<Series, Measured> = BTreeMap::new();
    for span in traces.iter().flat_map(Trace::spans) {
        let series = measured.entry(series(span)).or_default();
        series.calls += 1.0;
        series.total_ms += span.duration().as_nanos() as f64 / 1e6;
    }
    measured
}

fn series(span: &Span) -> Series {
    let kind = match span.kind {
        Kind::Unspecified | Kind::Unknown(_) => "UNSPECIFIED",
        Kind::Internal => "INTERNAL",
        Kind::Server => "SERVER",
        Kind::Client => "CLIENT",
        Kind::Producer => "PRODUCER",
        Kind::Consumer => "CONSUMER",
    };
    let status = match span.status.code {
        StatusCode::Unset | StatusCode::Unknown(_) => "UNSET",
        StatusCode::Ok => "OK",
        StatusCode::Error => "ERROR",
    };
    (
        span.service().to_owned(),
        span.name.to_string(),
        format!("SPAN_KIND_{kind}"),
        format!("STATUS_CODE_{status}"),
    )
}

/// The numbers from the metrics, in the text format of Prometheus.
fn read(text: &str) -> BTreeMap<Series, Measured> {
    let mut measured: BTreeMap<Series, Measured> = BTreeMap::new();
    for line in text.lines() {
        let sample = line.split(" # ").next().unwrap_or_default();
        let Some((name, rest)) = sample.split_once('{') else {
            continue;
        };
        let Some((labels, value)) = rest.rsplit_once("} ") else {
            continue;
        };
        let label = |name: &str| {
            let start = labels.find(&format!("{name}=\""))? + name.len() + 2;
            labels[start..].split('"').next().map(str::to_owned)
        };
        let series = || {
            Some((
                label("service_name")?,
                label("span_name")?,
                label("span_kind")?,
                label("status_code")?,
            ))
        };
        let (Some(series), Ok(value)) = (series(), value.trim().parse::<f64>()) else {
            continue;
        };
        if name.ends_with("_calls_total") {
            measured.entry(series).or_default().calls += value;
        } else if name.contains("_duration_") && name.ends_with("_sum") {
            measured.entry(series).or_default().total_ms += value;
        }
    }
    measured
}
