//! `wrong-parent`: the span of a call is a child of the request's span, and not of the step that makes the
//! call.

use std::future::Future;

use tracing::{Instrument, Span};

tokio::task_local! {
    static REQUEST: Span;
}

/// Stores the current span as the request's while `work` runs; [`below_request`] uses it.
pub async fn remember_request<F: Future>(work: F) -> F::Output {
    REQUEST.scope(Span::current(), work).await
}

/// Runs `work` with the request's span as its parent, in place of the current step.
pub async fn below_request<F: Future>(work: F) -> F::Output {
    match REQUEST.try_with(Span::clone) {
        Ok(request) => work.instrument(request).await,
        Err(_) => work.await,
    }
}
