//! Works on many spans with all processors, and on few without a thread: to wake one takes longer than the
//! work.

use std::borrow::Borrow;

use rayon::prelude::*;
use trace::Trace;

/// The number of spans from which on it is worth while to share the work.
const MANY: usize = 2_000;
/// The traces that one thread works on before it takes the next.
const CHUNK: usize = 32;

/// Whether these traces together have many spans.
pub(crate) fn have_many_spans(traces: &[impl Borrow<Trace>]) -> bool {
    let mut spans = 0;
    traces.iter().any(|trace| {
        spans += trace.borrow().spans().len();
        spans >= MANY
    })
}

/// Whether a trace has many spans.
pub(crate) fn is_large(spans: usize) -> bool {
    spans >= MANY
}

/// Applies `work` to chunks of the items, in their order: to one chunk of all of them if they are not `many`.
pub(crate) fn in_chunks<'i, T: Sync, R: Send>(
    many: bool,
    items: &'i [T],
    work: impl Fn(&'i [T]) -> R + Sync + Send,
) -> Vec<R> {
    match many {
        true => items.par_chunks(CHUNK).map(work).collect(),
        false => vec![work(items)],
    }
}

/// Applies `work` to each item, and gives the results in the order of the items.
pub(crate) fn map<T: Send, R: Send>(
    many: bool,
    items: Vec<T>,
    work: impl Fn(T) -> R + Sync + Send,
) -> Vec<R> {
    match many {
        true => items.into_par_iter().map(work).collect(),
        false => items.into_iter().map(work).collect(),
    }
}
