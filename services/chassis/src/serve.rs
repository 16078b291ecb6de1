//! Serves a router until the process is told to stop.
//!
//! The routes of the service get the fallbacks, the limit on bodies and the SERVER spans. `GET /healthz` and
//! `POST /lab/flush` are added without spans: operators use them, customers do not. Before all of them is the guard
//! against pages of other sites (`browser_guard`); a request that it refuses is none of the service and has no span.

use std::{
    io::{self, Write},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};
use browser_guard::{AllowedHosts, guard};
use serde_json::json;
use telemetry::{Counts, Telemetry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Error, StandingFaults, http};

/// How long running requests may take to end after the service is told to stop. With [`FLUSH_PATIENCE`] it is
/// [`stop::PATIENCE`](crate::stop::PATIENCE).
const GRACE: Duration = Duration::from_secs(3);

/// How long the export of the last spans may take.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);

/// Serves a router until `stop` is cancelled; then exports the remaining spans, and reports on standard
/// error if any were lost. Each request has a SERVER span, unless the process is not instrumented; a flush
/// is then answered at once, because it has nothing to wait for. `hosts` are the names by which the service may be
/// reached.
///
/// # Errors
///
/// When the operating system closes the listener.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    hosts: AllowedHosts,
    telemetry: Telemetry,
    stop: CancellationToken,
) -> Result<(), Error> {
    let router = observed(router, &telemetry).merge(operations(&telemetry));
    serve_until(listener, guard(router, hosts), telemetry, stop).await
}

/// Serves a router as [`serve`] does, with faults that are switched on for all requests, and with the routes
/// that switch them.
///
/// # Errors
///
/// As [`serve`].
pub async fn serve_behind(
    standing: StandingFaults,
    listener: TcpListener,
    router: Router,
    hosts: AllowedHosts,
    telemetry: Telemetry,
    stop: CancellationToken,
) -> Result<(), Error> {
    let router = standing
        .before(observed(router, &telemetry))
        .merge(standing.routes())
        .merge(operations(&telemetry));
    serve_until(listener, guard(router, hosts), telemetry, stop).await
}

fn observed(router: Router, telemetry: &Telemetry) -> Router {
    let router = router
        .fallback(http::not_found)
        .method_not_allowed_fallback(http::method_not_allowed)
        .layer(DefaultBodyLimit::max(http::BODY_LIMIT));
    match telemetry.is_instrumented() {
        true => router.layer(middleware::from_fn(telemetry::http_server::trace)),
        false => router,
    }
}

fn operations(telemetry: &Telemetry) -> Router {
    let flushed = telemetry.clone();
    Router::new()
        .route("/healthz", get(async || Json(json!({ "status": "ok" }))))
        .route(
            "/lab/flush",
            post(async move || Json(flushed.flush().await)),
        )
        .method_not_allowed_fallback(http::method_not_allowed)
}

async fn serve_until(
    listener: TcpListener,
    router: Router,
    telemetry: Telemetry,
    stop: CancellationToken,
) -> Result<(), Error> {
    let served = answer_until(listener, router, stop).await;
    end_telemetry(telemetry).await;
    Ok(served?)
}

async fn answer_until(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    announce(&listener)?;
    let server = tcp::Server::new(listener);
    if server.serve(router, stop, GRACE).await > 0 {
        tracing::warn!(
            "requests were still under way {} s after the stop",
            GRACE.as_secs()
        );
    }
    Ok(())
}

/// Reports the listening address to the parent process: one line of JSON on standard output.
fn announce(listener: &TcpListener) -> io::Result<()> {
    let address = listener.local_addr()?.to_string();
    let mut output = io::stdout().lock();
    // Standard output may have no reader; the service runs all the same.
    let _ = writeln!(output, "{}", json!({ "listening": address }));
    let _ = output.flush();
    Ok(())
}

async fn end_telemetry(telemetry: Telemetry) {
    let Counts {
        ended,
        exported,
        dropped,
        failed,
        queued,
    } = telemetry.shutdown(FLUSH_PATIENCE).await;
    if exported < ended {
        tracing::warn!(
            dropped,
            failed,
            queued,
            "of {ended} spans {exported} were exported"
        );
    }
}
