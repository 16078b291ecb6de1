//! `bench ab`: two SUTs, loaded by turns.

use std::time::Duration;

use firehose::Pace;

use super::{Bench, BenchError, INTERVAL, at};
use crate::{
    arm::{Arm, Plan},
    document::{Ab, AbMetric, Document, Run},
    statistics,
    sut::SutSpec,
};

/// What `bench ab` does.
#[derive(Clone, Debug)]
pub struct AbPlan {
    /// The other SUT, which is B.
    pub b: SutSpec,
    /// Spans a second; `None` is as fast as possible.
    pub rate: Option<f64>,
    /// How many blocks there are. Each is A B B A.
    pub blocks: usize,
    /// How long each of the four loads of a block lasts.
    pub time: Duration,
    /// For how long each SUT is loaded before, uncounted.
    pub warm_up: Duration,
    /// The confidence of the interval.
    pub confidence: f64,
}

/// A metric of a run: its name, which is better, and its value if it was measured.
struct Metric {
    name: &'static str,
    better: &'static str,
    of: fn(&Run) -> Option<f64>,
}

/// The first is the one that is judged, at a rate; the second, as fast as possible.
const METRICS: [Metric; 5] = [
    Metric {
        name: "CPU time a span",
        better: "lower",
        of: |run| Some(run.sut_used?.cpu_ns_per_span),
    },
    Metric {
        name: "spans a second",
        better: "higher",
        of: |run| Some(run.spans_per_second),
    },
    Metric {
        name: "p50 of the latency",
        better: "lower",
        of: |run| Some(run.latency_ms?.p50),
    },
    Metric {
        name: "p99 of the latency",
        better: "lower",
        of: |run| Some(run.latency_ms?.p99),
    },
    Metric {
        name: "memory",
        better: "lower",
        of: |run| Some(run.sut_used?.end_bytes as f64),
    },
];

/// The shares by which what ought to be equal in both arms may differ.
const MOST_DIFFERENCE: f64 = 0.01;

// === impl AbPlan ===

impl AbPlan {
    /// Which of [`METRICS`] is judged.
    fn judged(&self) -> usize {
        usize::from(self.rate.is_none())
    }
}

/// Loads two SUTs by turns, and compares them.
///
/// # Errors
///
/// When something does not start, or the machine cannot make the rate.
pub async fn ab(bench: &Bench<'_>, plan: &AbPlan) -> Result<Document, BenchError> {
    let mut document = bench.document("ab", plan.rate, plan.time);
    bench.check_cores(&mut document);
    bench.calibrate(&mut document).await?;
    if let Some(rate) = plan.rate {
        bench.check_rate(rate, &document.environment)?;
    }
    let pace = |time| match plan.rate {
        Some(rate) => at(rate, time),
        None => Pace::Max(time),
    };
    let warm_up = || (!plan.warm_up.is_zero()).then(|| pace(plan.warm_up));
    let mut a = bench.warm(&bench.sut, warm_up()).await?;
    let mut b = bench.warm(&plan.b, warm_up()).await?;
    document.workload.bytes_per_span = a.bytes_per_span();
    let mut blocks: Vec<[Run; 4]> = Vec::new();
    'blocks: for block in 1..=plan.blocks {
        let mut runs = Vec::new();
        for arm in ["A", "B", "B", "A"] {
            let load = Plan {
                label: format!("{arm}, block {block}"),
                pace: pace(plan.time),
                policy: None,
                disturbance: None,
                interval: INTERVAL,
            };
            let arm: &mut Arm = if arm == "A" { &mut a } else { &mut b };
            let mut loaded = bench.load(arm, &load).await?;
            if loaded.is_stopped {
                document.runs.extend(runs);
                break 'blocks;
            }
            bench.check_bottleneck(&mut loaded.run, &document.environment);
            runs.push(loaded.run);
        }
        document.runs.extend(runs.iter().cloned());
        blocks.extend(<[Run; 4]>::try_from(runs).ok());
    }
    a.stop().await;
    b.stop().await;
    document.ab = compare(bench, plan, &blocks);
    if document.ab.is_none() {
        document.invalid_because.push(match blocks.len() {
            0..3 => "there are fewer than three blocks to compare".to_owned(),
            _ => format!(
                "there is nothing to compare: {} was not measured in each load",
                METRICS[plan.judged()].name
            ),
        });
    }
    document.invalid_because.extend(unlike(&blocks));
    bench.finish(&mut document, &[]);
    Ok(document)
}

fn compare(bench: &Bench<'_>, plan: &AbPlan, blocks: &[[Run; 4]]) -> Option<Ab> {
    let pairs = |metric: &Metric| -> Option<Vec<(f64, f64)>> {
        let of = |run| (metric.of)(run).filter(|value| *value > 0.0);
        blocks
            .iter()
            .map(|[first, second, third, last]| {
                let a = (of(first)? + of(last)?) / 2.0;
                let b = (of(second)? + of(third)?) / 2.0;
                Some((a, b))
            })
            .collect()
    };
    let seed = bench.settings.workload.seed;
    let ratio = |metric: &Metric| {
        let pairs = pairs(metric)?;
        let ratio = statistics::ratio(&pairs, plan.confidence, seed)?;
        Some((pairs, ratio))
    };
    let judged = plan.judged();
    let metric = &METRICS[judged];
    let (pairs, found) = ratio(metric)?;
    let others = METRICS.iter().enumerate().filter(|(at, _)| *at != judged);
    Some(Ab {
        metric: metric.name.to_owned(),
        better: metric.better.to_owned(),
        a: bench.sut.to_string(),
        b: plan.b.to_string(),
        ratio: found.ratio,
        low: found.low,
        high: found.high,
        confidence: plan.confidence,
        verdict: found.verdict().to_owned(),
        pairs,
        others: others
            .filter_map(|(_, metric)| {
                let (_, found) = ratio(metric)?;
                Some(AbMetric {
                    metric: metric.name.to_owned(),
                    ratio: found.ratio,
                    low: found.low,
                    high: found.high,
                })
            })
            .collect(),
    })
}

/// What ought to be equal in both arms and is not: then they cannot be compared.
fn unlike(blocks: &[[Run; 4]]) -> Vec<String> {
    let bytes = |of: fn(&[Run; 4]) -> [&Run; 2]| {
        let runs = || blocks.iter().flat_map(of);
        let bytes: u64 = runs().map(|run| run.sent.bytes).sum();
        let spans: u64 = runs()
            .map(|run| run.accounts.planned - run.accounts.never_sent)
            .sum();
        bytes as f64 / spans.max(1) as f64
    };
    let a = bytes(|[first, _, _, last]| [first, last]);
    let b = bytes(|[_, second, third, _]| [second, third]);
    if blocks.is_empty() || (a / b - 1.0).abs() <= MOST_DIFFERENCE {
        return Vec::new();
    }
    vec![format!(
        "a span had {a:.1} bytes on its way into A and {b:.1} into B"
    )]
}
