//! Checks the order of several spans in time.

use scenario::Timing;
use trace::{Span, is_serial};

/// The timing error of some spans, given with their labels; `None` if there is no error.
pub(crate) fn wrong(timing: Timing, spans: &[(String, &Span)]) -> Option<String> {
    let mut in_time: Vec<&(String, &Span)> = spans.iter().collect();
    if timing != Timing::Order {
        in_time.sort_by_key(|(_, span)| (span.start_ns, span.end_ns));
    }
    let name = |at: usize| &in_time[at].0;
    for later in 1..in_time.len() {
        let (before, span) = (in_time[later - 1].1, in_time[later].1);
        match timing {
            Timing::Order if span.start_ns < before.start_ns => {
                return Some(format!("{} starts before {}", name(later), name(later - 1)));
            }
            // In the order of their starts, two spans overlap if a span starts before the latest end so far.
            // Neighbours alone are not enough, since one span may reach beyond its neighbour.
            Timing::Sequential => {
                // The parent is not at hand: 1 ms of overlap may be the clock, whatever its length.
                let over = (0..later).find(|&earlier| !is_serial(in_time[earlier].1, span, 0));
                if let Some(earlier) = over {
                    let (later, earlier) = (name(later), name(earlier));
                    return Some(format!("{later} starts before {earlier} has ended"));
                }
            }
            Timing::Parallel => {
                let gone = (0..later).find(|&earlier| in_time[earlier].1.end_ns <= span.start_ns);
                if let Some(earlier) = gone {
                    let (later, earlier) = (name(later), name(earlier));
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
