//! [`Times`]: times of which percentiles are asked, in bounded memory.

use std::time::Duration;

use hdrhistogram::Histogram;
use loadgen::Line;
use scenario::{LatencyWant, Pattern};
use trace::Span;

use crate::traces::Found;

/// The number of times that are kept as they are.
const EXACT: usize = 16_384;

/// The longest time that a histogram tells from longer ones.
const LONGEST: Duration = Duration::from_secs(3600);

/// Times of which percentiles are asked: exact for the first [`EXACT`], then exact to three digits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    exact: Vec<Duration>,
    /// All times in nanoseconds, if there are too many.
    rounded: Option<Histogram<u64>>,
}

// === impl Times ===

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        if self.rounded.is_none() && self.exact.len() < EXACT {
            self.exact.push(time);
            return;
        }
        let rounded = self.rounded.get_or_insert_with(|| {
            Histogram::new_with_bounds(1, LONGEST.as_nanos() as u64, 3)
                .expect("the bounds are in order and three digits are allowed")
        });
        for time in self.exact.drain(..).chain([time]) {
            rounded.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// The nearest rank of a share, from 0 to 1: the least time that this share of the times does not exceed.
    /// `None` without times.
    pub(crate) fn nearest_rank(&mut self, share: f64) -> Option<Duration> {
        if let Some(rounded) = &self.rounded {
            return Some(Duration::from_nanos(rounded.value_at_quantile(share)));
        }
        self.exact.sort_unstable();
        let rank = (self.exact.len() as f64 * share).ceil() as usize;
        self.exact.get(rank.saturating_sub(1)).copied()
    }
}

impl Extend<Duration> for Times {
    fn extend<T: IntoIterator<Item = Duration>>(&mut self, times: T) {
        times.into_iter().for_each(|time| self.add(time));
    }
}

/// The times that a want asks for of one request: its latency, or the durations of all spans that fit the
/// pattern. Empty for a request that the scenario does not judge.
pub(crate) fn times_of<'a>(
    line: &Line,
    found: &'a Found,
    want: &'a LatencyWant,
) -> impl Iterator<Item = Duration> + 'a {
    let is_judged = line.step.counts() && line.started.is_some();
    let latency = match &want.span {
        None if is_judged => line.latency(),
        _ => None,
    };
    let pattern = want.span.as_ref().filter(|_| is_judged);
    let traces = pattern.map(|_| found.trace.as_deref().into_iter().chain(&found.related));
    let spans = traces.into_iter().flatten().flat_map(|trace| trace.spans());
    let durations = spans
        .filter(move |span| pattern.is_some_and(|pattern| fits(pattern, span)))
        .map(Span::duration);
    latency.into_iter().chain(durations)
}

fn fits(pattern: &Pattern, span: &Span) -> bool {
    let text = |want: &Option<scenario::Text>, got: &str| {
        want.as_ref().is_none_or(|want| want.matches(got))
    };
    text(&pattern.service, span.service())
        && text(&pattern.name, &span.name)
        && pattern.kind.is_none_or(|kind| kind == span.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up_to(milliseconds: u64) -> Times {
        let mut times = Times::default();
        times.extend((1..=milliseconds).rev().map(Duration::from_millis));
        times
    }

    #[test]
    fn few_times_are_exact() {
        let mut times = up_to(200);
        for (share, ms) in [(0.5, 100), (0.9, 180), (0.99, 198)] {
            assert_eq!(times.nearest_rank(share), Some(Duration::from_millis(ms)));
        }
        assert_eq!(Times::default().nearest_rank(0.5), None);
    }

    #[test]
    fn many_times_are_exact_to_three_digits_and_take_no_more_room() {
        let most = 4 * EXACT as u64;
        let mut times = up_to(most);
        assert_eq!(times.exact.len(), 0);
        for share in [0.5, 0.9, 0.99] {
            let got = times.nearest_rank(share).map(|time| time.as_secs_f64());
            let want = (most as f64 * share).ceil() / 1000.0;
            assert!(
                got.is_some_and(|got| (got / want - 1.0).abs() < 0.001),
                "{got:?} {want}"
            );
        }
    }
}
