//! Whether all spans of a request have arrived.

use crate::{Kind, Trace};

/// Whether the traces of one request look complete: each has one root, no span lacks its parent, and every
/// message that was sent was processed.
///
/// A missing span is not noticed if no other span names it.
pub fn is_whole<'t>(traces: impl IntoIterator<Item = &'t Trace>) -> bool {
    let traces: Vec<&Trace> = traces.into_iter().collect();
    let complete = traces
        .iter()
        .all(|trace| trace.roots().count() == 1 && trace.orphans().count() == 0);
    // A failed message is delivered again, or is dead-lettered: the consumer that gave it up sends it on.
    let is_dead_lettered = |trace: &Trace, place: usize| {
        let parent = trace.parent(place).map(|parent| trace.span(parent));
        parent.is_some_and(|parent| parent.kind == Kind::Consumer && parent.is_error())
    };
    let (mut sent, mut settled) = (0, 0);
    for trace in &traces {
        for (place, span) in trace.spans().iter().enumerate() {
            match span.kind {
                Kind::Producer if span.is_error() => {}
                Kind::Producer if is_dead_lettered(trace, place) => settled += 1,
                Kind::Producer => sent += 1,
                Kind::Consumer if !span.is_error() => settled += 1,
                _ => {}
            }
        }
    }
    complete && !traces.is_empty() && settled >= sent
}
