//! Whether metrics that are made from spans say what was sent: how many spans of each name, and how long they took.

use std::{sync::Arc, time::Duration};

use backends::{Difference, Field, How, Loss, Maker, Prometheus, SpanMetrics};
use tokio::time::{Instant, sleep};
use trace::{Resource, Span};

use crate::{
    context::{CaseOf, Context, Progress},
    document::CaseResult,
};

pub(crate) const CASE: CaseOf<'static> = CaseOf {
    name: "span-metrics",
    group: "metrics",
    why: "Calls and durations by service and name, as metrics made from spans have them, must be those that were sent.",
    over: None,
};

/// The spans that are sent: their name, their number, and how many milliseconds each takes.
const SENT: [(&str, u64, u64); 3] = [("get /a", 5, 10), ("get /b", 7, 20), ("get /c", 11, 40)];

/// The pause between two queries. Metrics are scraped every few seconds at best.
const PAUSE: Duration = Duration::from_millis(500);

/// The share by which a sum of durations may differ: it is a sum of doubles.
const NEAR: f64 = 1e-6;

pub(crate) async fn run(context: &Context<'_>, prometheus: Option<&Prometheus>) -> CaseResult {
    let Some(prometheus) = prometheus else {
        return context.untried(
            CASE,
            "no --prometheus says where metrics are read".to_owned(),
        );
    };
    let began = Instant::now();
    let service = format!("fidelity-metrics-{:x}", context.settings.seed);
    let resource = Arc::new(Resource {
        attributes: [("service.name", service.as_str())].into_iter().collect(),
        ..Resource::default()
    });
    let mut maker = Maker::new(context.settings.seed.wrapping_add(0x3e7), context.now_ns);
    let mut spans: Vec<Span> = Vec::new();
    for (name, number, ms) in SENT {
        for _ in 0..number {
            let mut span = maker.root();
            span.name = name.into();
            span.end_ns = span.start_ns + ms * 1_000_000;
            span.resource = Arc::clone(&resource);
            spans.push(span);
        }
    }
    if let Err(error) = context.sender().send(&spans).await {
        let loss = Loss::new(Field::Trace, How::Refused);
        let refused = Difference::of(loss, format!("{} spans", spans.len()), error.to_string());
        return context.result(CASE, vec![refused], began.elapsed().as_secs_f64());
    }
    let mut differences;
    loop {
        let mut pause = PAUSE;
        differences = match prometheus.of_service(&service).await {
            Ok(found) => compare(&found),
            Err(error) => {
                pause = pause.max(error.retry_after().unwrap_or_default());
                let loss = Loss::new(Field::Metric, How::Unreadable);
                vec![Difference::of(loss, String::new(), error.to_string())]
            }
        };
        (context.progress)(Progress {
            what: "metrics",
            done: SENT.len() - differences.len().min(SENT.len()),
            of: SENT.len(),
        });
        // What was counted too often does not become less.
        let may_change = differences.iter().any(|one| one.loss.how != How::Added);
        let is_over = differences.is_empty() || !may_change || context.waiting.stop.is_cancelled();
        if is_over || began.elapsed() >= context.waiting.patience {
            break;
        }
        sleep(pause).await;
    }
    context.result(CASE, differences, began.elapsed().as_secs_f64())
}

fn compare(found: &std::collections::BTreeMap<String, SpanMetrics>) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (name, number, ms) in SENT {
        let sent = SpanMetrics {
            calls: number as f64,
            count: number as f64,
            sum_ms: (number * ms) as f64,
        };
        let Some(got) = found.get(name) else {
            let loss = Loss::new(Field::Metric, How::Missing);
            differences.push(Difference {
                place: name.to_owned(),
                ..Difference::of(loss, format!("{number} spans of {ms} ms"), String::new())
            });
            continue;
        };
        for (what, sent, got) in [
            ("calls", sent.calls, got.calls),
            ("count of durations", sent.count, got.count),
            ("sum of durations in ms", sent.sum_ms, got.sum_ms),
        ] {
            if (sent - got).abs() > sent * NEAR {
                let how = if got > sent { How::Added } else { How::Changed };
                differences.push(Difference {
                    place: format!("{name}, {what}"),
                    ..Difference::of(
                        Loss::new(Field::Metric, how),
                        sent.to_string(),
                        got.to_string(),
                    )
                });
            }
        }
    }
    differences
}
