//! `wrong-parent`: a call hangs below the span of the request, and not below the step that makes it.

use std::future::Future;

use tracing::{Instrument, Span};

tokio::task_local! {
    static REQUEST: Span;
}

/// Handles a request so that [`below_request`] finds its span again, however deep it is called.
pub async fn remember_request<F: Future>(work: F) -> F::Output {
    REQUEST.scope(Span::current(), work).await
}

/// Does work below the span of the request, and not below the step that it belongs to.
pub async fn below_request<F: Future>(work: F) -> F::Output {
    match REQUEST.try_with(Span::clone) {
        Ok(request) => work.instrument(request).await,
        Err(_) => work.await,
    }
}
