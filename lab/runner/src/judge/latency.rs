//! Compares the times of requests and spans over a whole phase with the wants of the scenario.

use expect::Verdict;
use scenario::{LatencyWant, Pattern, Percentile, TimeWant};
use serde::Serialize;
use trace::milliseconds;

use crate::{
    conditions::Conditions,
    phase_traces::PhaseTraces,
    times::{Times, times_of},
};

/// One want about a time, and its result.
#[derive(Clone, Debug, Serialize)]
pub struct LatencyLine {
    /// What was measured: `service span`, or `request`.
    pub what: String,
    /// Whether the simulated time of the pace was subtracted.
    pub own: bool,
    /// Which percentile: `p50`, `p90` or `p99`.
    pub percentile: &'static str,
    /// The wanted range.
    pub want: String,
    /// What was measured, in milliseconds; `None` if there was nothing to measure.
    pub ms: Option<f64>,
    /// The same time of the twin, in milliseconds; `None` if the want does not compare with the twin.
    pub twin_ms: Option<f64>,
    /// Whether the measured time is as wanted.
    pub verdict: Verdict,
    /// Why it could not be judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

// === impl LatencyLine ===

impl LatencyLine {
    /// The measured time as text.
    pub(crate) fn got(&self) -> String {
        match self.ms {
            Some(ms) => format!("{ms:.1} ms"),
            None => "nothing".to_owned(),
        }
    }
}

/// The data for a want: the same load, driven at the pace that the want asks for.
pub(crate) struct Measured<'a> {
    pub(crate) phase: Option<&'a PhaseTraces>,
    pub(crate) twin: Option<&'a PhaseTraces>,
}

/// Compares a want with the measured times: one line for each percentile. A want whose needs are not met is
/// measured and not judged.
pub(crate) fn lines(
    want: &LatencyWant,
    measured: &Measured<'_>,
    conditions: Conditions,
) -> Vec<LatencyLine> {
    let times = |driven: Option<&PhaseTraces>| {
        driven.map_or_else(Times::default, |driven| times(driven, want))
    };
    let (mut of_phase, mut of_twin) = (times(measured.phase), times(measured.twin));
    want.percentiles
        .iter()
        .map(|(percentile, time)| {
            let got = of_phase.nearest_rank(share(*percentile));
            let twin = of_twin.nearest_rank(share(*percentile));
            let (wanted, holds) = match time {
                TimeWant::Absolute(range) => {
                    (range.to_string(), got.map(|got| range.contains(got)))
                }
                TimeWant::OfTwin(range) => {
                    let ratio = got
                        .zip(twin)
                        .map(|(got, twin)| got.as_secs_f64() / twin.as_secs_f64().max(1e-9));
                    let wanted = if range.max == f64::INFINITY {
                        format!(">= {}x twin", range.min)
                    } else {
                        format!("{range} x twin")
                    };
                    (wanted, ratio.map(|ratio| range.contains(ratio)))
                }
            };
            let why = conditions
                .lacks(&want.needs)
                .or_else(|| not_driven(want.own, *time, measured).map(str::to_owned));
            LatencyLine {
                what: what(want),
                own: want.own,
                percentile: word(*percentile),
                want: wanted,
                ms: got.map(milliseconds),
                twin_ms: match time {
                    TimeWant::OfTwin(_) => twin.map(milliseconds),
                    TimeWant::Absolute(_) => None,
                },
                verdict: match (&why, holds) {
                    (Some(_), _) => Verdict::Unsupported,
                    (None, Some(true)) => Verdict::Pass,
                    // The want does not hold if the phase was driven and has no such span.
                    (None, _) => Verdict::Fail,
                },
                why,
            }
        })
        .collect()
}

/// The reason of the first line that was not judged.
pub(super) fn not_judged(lines: &[LatencyLine]) -> Option<String> {
    lines.iter().find_map(|line| {
        let why = line.why.as_ref()?;
        Some(format!("{} {}: {why}", line.what, line.percentile))
    })
}

/// The names of the wanted times in sentences: one for each percentile.
pub(crate) fn called(want: &LatencyWant) -> impl Iterator<Item = String> {
    let what = match want.span {
        None => "the request".to_owned(),
        Some(_) => what(want),
    };
    let percentiles = want.percentiles.iter();
    percentiles.map(move |(percentile, _)| format!("the {} of {what}", word(*percentile)))
}

/// Why the wanted time could not be measured; `None` if every phase that it needs was driven.
fn not_driven(own: bool, time: TimeWant, measured: &Measured<'_>) -> Option<&'static str> {
    match (measured.phase, measured.twin, time) {
        (None, ..) if own => Some("it is measured without pace, which takes a lab of its own"),
        (None, ..) => Some("the load was not driven"),
        (Some(_), None, TimeWant::OfTwin(_)) => {
            Some("the twin, with which it is compared, was not driven")
        }
        (Some(_), ..) => None,
    }
}

fn what(want: &LatencyWant) -> String {
    want.span.as_ref().map_or("request".to_owned(), in_words)
}

/// The times of a phase that a want asks for.
fn times(driven: &PhaseTraces, want: &LatencyWant) -> Times {
    let before = driven.digest.times.get(&want.position);
    let mut times = before.cloned().unwrap_or_default();
    for (line, found) in driven.last() {
        times.extend(times_of(line, found, want));
    }
    times
}

fn share(percentile: Percentile) -> f64 {
    match percentile {
        Percentile::P50 => 0.5,
        Percentile::P90 => 0.9,
        Percentile::P99 => 0.99,
    }
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

#[cfg(test)]
mod tests {

    use super::*;
    use protocol::{Database, Pace};

    /// The result of a want for which no load was driven.
    fn line(want: &str, pace: Pace) -> LatencyLine {
        let text = format!(
            "name: x\ntitle: X\nload: {{ requests: 1, users: 1 }}\nexpect: {{ trace: {{ roots: 1 }} }}\n\
             latency: {want}\n"
        );
        let scenario = scenario::parse("x.yaml", &text).expect("it is a scenario");
        let conditions = Conditions::Shop {
            database: Database::Sqlite,
            pace: Some(pace),
        };
        let nothing = Measured {
            phase: None,
            twin: None,
        };
        lines(&scenario.latency[0], &nothing, conditions).remove(0)
    }

    #[test]
    fn what_cannot_be_judged_says_why() {
        for (want, pace, why) in [
            (
                "{ p50: \">= 2x twin\", needs: textbook }",
                Pace::None,
                "it needs the textbook pace",
            ),
            (
                "{ p50: \">= 2x twin\", needs: textbook }",
                Pace::Textbook,
                "the load was not driven",
            ),
            (
                "{ p50: \">= 2x twin\", own: true }",
                Pace::Textbook,
                "it is measured without pace, which takes a lab of its own",
            ),
        ] {
            let line = line(want, pace);
            assert_eq!(line.verdict, Verdict::Unsupported, "{want}");
            assert_eq!(line.why.as_deref(), Some(why), "{want}");
        }
    }
}
