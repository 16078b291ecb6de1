//! Attempts at a call: which attempts failed, and which were repeated.

use std::borrow::Cow;

use super::{
    call::{self, Call},
    shape,
    view::View,
};
use crate::hash::HashMap;

/// Attributes that count attempts.
const COUNTS: [&str; 2] = ["http.request.resend_count", "http.resend_count"];

/// Whether a call failed, according to its span.
pub(crate) fn failed(view: &View<'_>, place: usize) -> bool {
    let span = view.span(place);
    span.is_error() || call::text(span, &["error.type"]).is_some()
}

/// Whether a call is marked as a repetition.
pub(crate) fn is_again(view: &View<'_>, place: usize) -> bool {
    call::number(view.span(place), &COUNTS).is_some_and(|count| count > 0)
}

/// For each parent and each call and target below it, the start of the last call that did not fail.
type LastSuccesses<'v> = HashMap<usize, HashMap<(Call, Cow<'v, str>), u64>>;

/// Calls that went well below some parents.
pub(crate) struct Successes<'v> {
    view: &'v View<'v>,
    last: LastSuccesses<'v>,
}

// === impl Successes ===

impl<'v> Successes<'v> {
    pub(crate) fn of(view: &'v View<'v>) -> Self {
        Successes {
            view,
            last: HashMap::default(),
        }
    }

    /// Whether a failed call was repeated with success. The siblings of a call are read once for all of them.
    pub(crate) fn went_well_later(&mut self, place: usize) -> bool {
        let view = self.view;
        let Some(parent) = view.trace.parent(place) else {
            return false;
        };
        if view.calls[place] == Call::None {
            return false;
        }
        let last = self.last.entry(parent).or_insert_with(|| {
            let mut last = HashMap::default();
            // The siblings are in the order of their starts.
            for &other in view.trace.children(parent) {
                let call = view.calls[other];
                if call != Call::None && !failed(view, other) {
                    last.insert(
                        (call, shape::of(view.span(other), call)),
                        view.start_ns(other),
                    );
                }
            }
            last
        });
        let target = shape::of(view.span(place), view.calls[place]);
        let start = last.get(&(view.calls[place], target));
        start.is_some_and(|start| *start >= view.end_ns(place))
    }
}
