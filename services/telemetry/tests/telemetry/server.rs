//! A real server on a free port, with the middleware of the services.

use std::net::SocketAddr;

use axum::{Router, middleware::from_fn};
use tokio::net::TcpListener;

/// Serves a router with a SERVER span for each request, until the runtime of the test ends.
pub(crate) async fn serve_traced(router: Router) -> SocketAddr {
    serve(router.layer(from_fn(telemetry::http_server::trace))).await
}

/// Serves a router without middleware.
pub(crate) async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A port that nothing listens on.
pub(crate) async fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}
