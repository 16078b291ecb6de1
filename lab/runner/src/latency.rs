//! How long requests and spans took over a whole phase, and what a scenario wants of that.

use std::time::Duration;

use expect::Verdict;
use scenario::{LatencyWant, Pattern, Percentile, TimeWant};
use serde::Serialize;
use trace::Span;

use crate::drive::Driven;

/// One thing that a scenario wants of a time, and what it came to.
#[derive(Clone, Debug, Serialize)]
pub struct LatencyLine {
    /// What was measured: `service span`, or `request`.
    pub what: String,
    /// Whether the simulated time of the pace was left out.
    pub own: bool,
    /// Which percentile: `p50`, `p90` or `p99`.
    pub percentile: &'static str,
    /// What was wanted.
    pub want: String,
    /// What was measured, in milliseconds; `None` if there was nothing to measure.
    pub ms: Option<f64>,
    /// The same time of the twin, in milliseconds, if it is what was compared with.
    pub twin_ms: Option<f64>,
    /// Whether it is as it was wanted.
    pub verdict: Verdict,
}

/// What is measured of a want: the same load, at the pace that it asks for.
pub(crate) struct Measured<'a> {
    pub(crate) phase: Option<&'a Driven>,
    pub(crate) twin: Option<&'a Driven>,
}

/// Holds a want against what was measured: a line a percentile.
pub(crate) fn lines(want: &LatencyWant, measured: &Measured<'_>) -> Vec<LatencyLine> {
    let times = |driven: Option<&Driven>| {
        driven.map_or_else(Vec::new, |driven| times(driven, want.span.as_ref()))
    };
    let (of_phase, of_twin) = (times(measured.phase), times(measured.twin));
    want.percentiles
        .iter()
        .map(|(percentile, time)| {
            let got = nearest_rank(&of_phase, *percentile);
            let twin = nearest_rank(&of_twin, *percentile);
            let (wanted, verdict) = match time {
                TimeWant::Absolute(range) => (
                    range.to_string(),
                    holds(measured.phase, got.map(|got| range.contains(got))),
                ),
                TimeWant::OfTwin(range) => {
                    let ratio = got
                        .zip(twin)
                        .map(|(got, twin)| got.as_secs_f64() / twin.as_secs_f64().max(1e-9));
                    let wanted = if range.max == f64::INFINITY {
                        format!(">= {}x twin", range.min)
                    } else {
                        format!("{range} x twin")
                    };
                    let measured = measured.twin.and(measured.phase);
                    (
                        wanted,
                        holds(measured, ratio.map(|ratio| range.contains(ratio))),
                    )
                }
            };
            LatencyLine {
                what: want.span.as_ref().map_or("request".to_owned(), in_words),
                own: want.own,
                percentile: word(*percentile),
                want: wanted,
                ms: got.map(ms),
                twin_ms: match time {
                    TimeWant::OfTwin(_) => twin.map(ms),
                    TimeWant::Absolute(_) => None,
                },
                verdict,
            }
        })
        .collect()
}

/// What was not driven cannot be measured; what was driven and has no such span does not hold.
fn holds(driven: Option<&Driven>, holds: Option<bool>) -> Verdict {
    match (driven, holds) {
        (None, _) => Verdict::Unsupported,
        (Some(_), Some(true)) => Verdict::Pass,
        (Some(_), _) => Verdict::Fail,
    }
}

/// The times of all requests, or of all spans that a pattern fits, in order.
fn times(driven: &Driven, span: Option<&Pattern>) -> Vec<Duration> {
    let mut times: Vec<Duration> = match span {
        None => driven
            .judged()
            .filter_map(|(line, _)| line.latency())
            .collect(),
        Some(pattern) => driven
            .judged()
            .flat_map(|(_, found)| found.trace.as_deref().into_iter().chain(&found.related))
            .flat_map(|trace| trace.spans())
            .filter(|span| fits(pattern, span))
            .map(Span::duration)
            .collect(),
    };
    times.sort_unstable();
    times
}

fn fits(pattern: &Pattern, span: &Span) -> bool {
    let text = |want: &Option<scenario::Text>, got: &str| {
        want.as_ref().is_none_or(|want| want.matches(got))
    };
    text(&pattern.service, span.service())
        && text(&pattern.name, &span.name)
        && pattern.kind.is_none_or(|kind| kind == span.kind)
}

fn nearest_rank(times: &[Duration], percentile: Percentile) -> Option<Duration> {
    let share = match percentile {
        Percentile::P50 => 0.5,
        Percentile::P90 => 0.9,
        Percentile::P99 => 0.99,
    };
    let rank = (times.len() as f64 * share).ceil() as usize;
    times.get(rank.saturating_sub(1)).copied()
}

fn word(percentile: Percentile) -> &'static str {
    match percentile {
        Percentile::P50 => "p50",
        Percentile::P90 => "p90",
        Percentile::P99 => "p99",
    }
}

fn in_words(pattern: &Pattern) -> String {
    let parts =
        [&pattern.service, &pattern.name].map(|text| text.as_ref().map(ToString::to_string));
    let words: Vec<String> = parts.into_iter().flatten().collect();
    match words.is_empty() {
        true => "any span".to_owned(),
        false => words.join(" "),
    }
}

pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
