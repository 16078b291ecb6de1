//! Compares the times of sibling spans, and recognizes batches.

use trace::Kind;

use super::view::View;

/// Whether a span processes several messages: then it repeats the same work on purpose.
pub(crate) fn is_batch(view: &View<'_>, parent: usize) -> bool {
    let span = view.span(parent);
    let several = span.attributes.get("messaging.batch.message_count");
    span.kind == Kind::Consumer && (several.is_some() || span.links.len() > 1)
}

/// Whether spans run one after another rather than at the same time.
pub(crate) fn one_after_another(view: &View<'_>, places: &[usize]) -> bool {
    2 * rounds(view, places) > places.len()
}

/// The highest number of these spans that run one after another without overlap: for thirty calls at the same
/// time it is one.
pub(crate) fn rounds(view: &View<'_>, places: &[usize]) -> usize {
    let mut by_end: Vec<(u64, u64)> = places
        .iter()
        .map(|&place| (view.span(place).end_ns, view.span(place).start_ns))
        .collect();
    by_end.sort_unstable();
    let (mut rounds, mut until) = (0, 0);
    for (end, start) in by_end {
        if rounds == 0 || start >= until {
            rounds += 1;
            until = end;
        }
    }
    rounds
}
