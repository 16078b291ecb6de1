//! Attempts at a call: which attempts failed, and which were repeated.

use super::{
    call::{self, Call},
    shape,
    view::View,
};

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

/// Whether a failed call was repeated with success.
pub(crate) fn went_well_later(view: &View<'_>, place: usize) -> bool {
    let Some(parent) = view.trace.parent(place) else {
        return false;
    };
    if view.calls[place] == Call::None {
        return false;
    }
    let target = shape::of(view.span(place), view.calls[place]);
    // The siblings are in the order of their starts.
    let siblings = view.trace.children(parent);
    let end = view.end_ns(place);
    let later = siblings.partition_point(|&other| view.start_ns(other) < end);
    siblings[later..].iter().any(|&other| {
        view.calls[other] == view.calls[place]
            && !failed(view, other)
            && shape::of(view.span(other), view.calls[other]) == target
    })
}
