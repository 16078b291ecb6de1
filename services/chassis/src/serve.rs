//! Serves a router until it is told to stop.
//!
//! To the routes of the service it adds the fallbacks, the bound on bodies and the SERVER spans; to
//! all of it `GET /healthz` and `POST /lab/flush`, which are not traced: they belong to those who
//! operate the shop, not to its customers.

use std::{
    io::{self, Write},
    pin::pin,
    time::Duration,
};

use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{MethodRouter, get, post},
    serve::ListenerExt,
};
use serde_json::json;
use telemetry::{Counts, Telemetry};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::StandingFaults;

/// How long requests that are under way may take to end once the service is told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How long the last spans may take to be exported.
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);

/// Serves a router with a SERVER span for each request, until `stop` is cancelled; then exports
/// what spans are left, and says on standard error if any were lost.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    telemetry: Telemetry,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = traced(router).merge(operations(flush(&telemetry)));
    let served = serve_until(listener, router, stop).await;
    end_telemetry(telemetry).await;
    served
}

/// Serves a router as [`serve`] does, behind faults that are switched on for everyone, and the routes
/// to switch them.
pub async fn serve_behind(
    standing: StandingFaults,
    listener: TcpListener,
    router: Router,
    telemetry: Telemetry,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = standing
        .before(traced(router))
        .merge(standing.routes())
        .merge(operations(flush(&telemetry)));
    let served = serve_until(listener, router, stop).await;
    end_telemetry(telemetry).await;
    served
}

fn traced(router: Router) -> Router {
    with_fallbacks(router).layer(middleware::from_fn(telemetry::http_server::trace))
}

fn flush(telemetry: &Telemetry) -> MethodRouter {
    let flushed = telemetry.clone();
    post(async move || Json(flushed.flush().await))
}

/// Serves a router of someone who takes no part in the tracing, as third parties do not. A flush is
/// answered all the same: there is never anything to wait for.
pub async fn serve_unobserved(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let operations = operations(post(async || Json(Counts::default())));
    serve_until(listener, with_fallbacks(router).merge(operations), stop).await
}

fn operations(flush: MethodRouter) -> Router {
    Router::new()
        .route("/healthz", get(async || Json(json!({ "status": "ok" }))))
        .route("/lab/flush", flush)
        .method_not_allowed_fallback(api::method_not_allowed)
}

fn with_fallbacks(router: Router) -> Router {
    router
        .fallback(api::not_found)
        .method_not_allowed_fallback(api::method_not_allowed)
        .layer(DefaultBodyLimit::max(api::BODY_LIMIT))
}

async fn serve_until(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    announce(&listener)?;
    let listener = listener.tap_io(|connection| {
        // A reply is one small write: held back for more, it would show as time that nobody spent.
        // Where the option cannot be set the connection is gone, which the first read will tell.
        let _ = connection.set_nodelay(true);
    });
    let serving = axum::serve(listener, router)
        .with_graceful_shutdown(stop.clone().cancelled_owned())
        .into_future();
    let mut serving = pin!(serving);
    tokio::select! {
        served = &mut serving => return served,
        () = stop.cancelled() => {}
    }
    timeout(GRACE, serving).await.unwrap_or_else(|_| {
        tracing::warn!(
            "requests were still under way {} s after the stop",
            GRACE.as_secs()
        );
        Ok(())
    })
}

/// Tells whoever started the process where it listens: one line of JSON on standard output.
fn announce(listener: &TcpListener) -> io::Result<()> {
    let address = listener.local_addr()?.to_string();
    let mut output = io::stdout().lock();
    // Nobody may be reading; a service serves all the same.
    let _ = writeln!(output, "{}", json!({ "listening": address }));
    let _ = output.flush();
    Ok(())
}

async fn end_telemetry(telemetry: Telemetry) {
    let counts = match timeout(FLUSH_PATIENCE, telemetry.clone().shutdown()).await {
        Ok(counts) => counts,
        Err(_) => telemetry.counts(),
    };
    let Counts {
        ended,
        exported,
        dropped,
        failed,
        queued,
    } = counts;
    if exported < ended {
        tracing::warn!(
            dropped,
            failed,
            queued,
            "of {ended} spans {exported} were exported"
        );
    }
}
