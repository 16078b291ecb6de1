//! [`Lost`]: the spans whose parent is missing, by their times: one of them may be the answer to a call.

use trace::Trace;

/// The spans whose parent is missing. A search takes the logarithm of their number.
pub(crate) struct Lost {
    /// The start of each, the earliest first.
    starts: Vec<u64>,
    /// For each, among it and those that start later: the span that ends first, and the one of another service
    /// that ends first.
    first_to_end: Vec<(usize, Option<usize>)>,
}

// === impl Lost ===

impl Lost {
    pub(crate) fn of(trace: &Trace) -> Lost {
        let orphans: Vec<usize> = trace.orphans().collect();
        let end = |place: usize| trace.span(place).end_ns;
        let service = |place: usize| trace.span(place).service();
        let mut first_to_end: Vec<(usize, Option<usize>)> = Vec::with_capacity(orphans.len());
        for &orphan in orphans.iter().rev() {
            let next = match first_to_end.last().copied() {
                None => (orphan, None),
                Some((first, other)) if service(first) == service(orphan) => {
                    let ends_first = end(orphan) <= end(first);
                    (if ends_first { orphan } else { first }, other)
                }
                Some((first, _)) if end(orphan) <= end(first) => (orphan, Some(first)),
                Some((first, other)) => {
                    let other = other.filter(|&other| end(other) < end(orphan));
                    (first, Some(other.unwrap_or(orphan)))
                }
            };
            first_to_end.push(next);
        }
        first_to_end.reverse();
        Lost {
            starts: orphans
                .iter()
                .map(|&orphan| trace.span(orphan).start_ns)
                .collect(),
            first_to_end,
        }
    }

    /// Whether one of them, of another service, lies within a span of the same trace.
    pub(crate) fn lie_within(&self, trace: &Trace, place: usize) -> bool {
        let span = trace.span(place);
        let from = self.starts.partition_point(|start| *start < span.start_ns);
        let Some((first, other)) = self.first_to_end.get(from).copied() else {
            return false;
        };
        let candidate = match trace.span(first).service() == span.service() {
            true => other,
            false => Some(first),
        };
        candidate.is_some_and(|lost| trace.span(lost).end_ns <= span.end_ns)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use testing::spans::{bare, resource, span_id, trace_id};
    use trace::{Kind, Span};

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_answer_is_that_of_a_search_through_all(
            spans in vec((0..20_u64, 0..20_u64, 0..3_u8, any::<bool>()), 1..20)
        ) {
            let span = |(at, (start, length, service, is_lost)): (usize, &(u64, u64, u8, bool))| Span {
                start_ns: *start,
                end_ns: start + length,
                resource: resource([("service.name", &*service.to_string())]),
                ..bare(
                    trace_id(),
                    span_id(at as u64 + 1),
                    is_lost.then(|| span_id(1_000)),
                    "x",
                    Kind::Client,
                )
            };
            let trace = Trace::new(trace_id(), spans.iter().enumerate().map(span).collect());
            let lost = Lost::of(&trace);
            for (place, span) in trace.spans().iter().enumerate() {
                let within = |orphan: usize| {
                    let orphan = trace.span(orphan);
                    orphan.service() != span.service()
                        && orphan.start_ns >= span.start_ns
                        && orphan.end_ns <= span.end_ns
                };
                prop_assert_eq!(lost.lie_within(&trace, place), trace.orphans().any(within));
            }
        }
    }
}
