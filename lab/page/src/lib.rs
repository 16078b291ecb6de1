//! The lab's HTTP API and, until there is a page, a plain list of traces.
//!
//! | route | answer |
//! | --- | --- |
//! | `GET /api/traces/{hex}` | a trace as OTLP/JSON |
//! | `GET /api/traces?service=&name=&min_duration=&error=&attribute=key=value&limit=` | summaries, newest first: `{"traces": […]}` |
//! | `DELETE /api/traces` | forgets all traces |
//! | `GET /api/stats` | what the sink has counted |
//! | `GET /healthz` | `ok` |
//! | `GET /`, `GET /traces/{hex}` | the list of traces and the waterfall of one, as HTML |
//!
//! Errors are problem details (RFC 9457). It reads a [`sink::Store`] and knows nothing of how spans
//! get into it, nor of the shop. What else the lab serves at this address is merged into
//! [`router`] by whoever starts it.

mod api;
mod html;
mod problem;
mod query;

pub use problem::Problem;

use std::io;

use axum::{Router, routing::get};
use sink::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The routes. More can be merged into it; it has the fallbacks already.
pub fn router(store: Store) -> Router {
    Router::new()
        .route("/", get(html::list))
        .route("/traces/{id}", get(html::trace))
        .route("/api/traces", get(api::search).delete(api::forget))
        .route("/api/traces/{id}", get(api::trace))
        .route("/api/stats", get(api::stats))
        .route("/healthz", get(async || "ok\n"))
        .fallback(problem::no_such_page)
        .method_not_allowed_fallback(problem::no_such_method)
        .with_state(store)
}

/// Serves the routes until it is told to stop.
pub async fn run(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) -> io::Result<()> {
    axum::serve(listener, router)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}
