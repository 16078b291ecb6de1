//! Checks the order of several spans in time.

use scenario::Timing;
use trace::{Span, is_serial};

/// The timing error of some spans, given with what their labels are made of; `None` if there is no error.
pub(crate) fn wrong<L>(
    timing: Timing,
    spans: &[(L, &Span)],
    label: impl Fn(&L, &Span) -> String,
) -> Option<String> {
    let mut in_time: Vec<&(L, &Span)> = spans.iter().collect();
    if timing != Timing::Order {
        in_time.sort_by_key(|(_, span)| (span.start_ns, span.end_ns));
    }
    let name = |at: usize| label(&in_time[at].0, in_time[at].1);
    // The earlier spans that have not ended at the start of the later one: few, where spans are one after another.
    let mut open: Vec<usize> = Vec::new();
    let mut first_end = u64::MAX;
    for later in 1..in_time.len() {
        let (before, span) = (in_time[later - 1].1, in_time[later].1);
        match timing {
            Timing::Order if span.start_ns < before.start_ns => {
                return Some(format!("{} starts before {}", name(later), name(later - 1)));
            }
            // In the order of their starts, two spans overlap if a span starts before the latest end so far.
            // Neighbours alone are not enough, since one span may reach beyond its neighbour.
            Timing::Sequential => {
                open.push(later - 1);
                open.retain(|&earlier| in_time[earlier].1.end_ns > span.start_ns);
                // The parent is not at hand: 1 ms of overlap may be the clock, whatever its length.
                let mut earlier = open.iter();
                let over = earlier.find(|&&earlier| !is_serial(in_time[earlier].1, span, 0));
                if let Some(&earlier) = over {
                    let (later, earlier) = (name(later), name(earlier));
                    return Some(format!("{later} starts before {earlier} has ended"));
                }
            }
            Timing::Parallel => {
                first_end = first_end.min(before.end_ns);
                if first_end <= span.start_ns {
                    let gone =
                        (0..later).find(|&earlier| in_time[earlier].1.end_ns <= span.start_ns);
                    let (later, earlier) = (name(later), name(gone.unwrap_or(later - 1)));
                    return Some(format!("{earlier} has ended when {later} starts"));
                }
            }
            Timing::Order => {}
        }
    }
    None
}

/// The name in a scenario file.
pub(crate) fn word(timing: Timing) -> &'static str {
    match timing {
        Timing::Parallel => "parallel",
        Timing::Sequential => "sequential",
        Timing::Order => "order",
    }
}
