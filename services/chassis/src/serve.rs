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
    routing::{get, post},
    serve::ListenerExt,
};
use serde_json::json;
use telemetry::{Counts, Telemetry};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{Error, StandingFaults, http};

/// How long requests that are under way may take to end once the service is told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How long the last spans may take to be exported.
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);

/// Serves a router until `stop` is cancelled; then exports what spans are left, and says on standard
/// error if any were lost. Each request has a SERVER span, unless the process is not instrumented: then
/// a flush is answered all the same, for there is never anything to wait for.
///
/// # Errors
///
/// When the system takes the listener away.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    telemetry: Telemetry,
    stop: CancellationToken,
) -> Result<(), Error> {
    let router = observed(router, &telemetry).merge(operations(&telemetry));
    serve_until(listener, router, telemetry, stop).await
}

/// Serves a router as [`serve`] does, behind faults that are switched on for everyone, and the routes
/// to switch them.
///
/// # Errors
///
/// As [`serve`].
pub async fn serve_behind(
    standing: StandingFaults,
    listener: TcpListener,
    router: Router,
    telemetry: Telemetry,
    stop: CancellationToken,
) -> Result<(), Error> {
    let router = standing
        .before(observed(router, &telemetry))
        .merge(standing.routes())
        .merge(operations(&telemetry));
    serve_until(listener, router, telemetry, stop).await
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
