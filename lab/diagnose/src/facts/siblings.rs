//! Compares the times of sibling spans, and recognizes batches.

use trace::{Kind, is_serial};

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

/// The highest number of these siblings that run one after another: for thirty calls at the same time it is
/// one.
pub(crate) fn rounds(view: &View<'_>, places: &[usize]) -> usize {
    let mut by_end = places.to_vec();
    by_end.sort_unstable_by_key(|&place| (view.end_ns(place), view.start_ns(place)));
    let mut rounds = 0;
    let mut last = None;
    for place in by_end {
        if last.is_none_or(|last| are_serial(view, last, place)) {
            rounds += 1;
            last = Some(place);
        }
    }
    rounds
}

/// Whether two siblings are serial steps, the first before the next.
pub(crate) fn are_serial(view: &View<'_>, first: usize, next: usize) -> bool {
    let parent_ns = view.trace.parent(first).map_or(0, |parent| view.ns(parent));
    is_serial(view.span(first), view.span(next), parent_ns)
}
