//! A real server on a free port, with the middleware of the services.

use std::net::SocketAddr;

use axum::{Router, middleware::from_fn};
use tokio::net::{TcpListener, TcpSocket};

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

/// A port that nothing listens on, and that nothing else is given while this is kept.
pub(crate) struct ClosedPort {
    socket: TcpSocket,
    pub(crate) address: SocketAddr,
}

// === impl ClosedPort ===

impl ClosedPort {
    pub(crate) fn reserve() -> ClosedPort {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseport(true).unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        ClosedPort { socket, address }
    }

    /// Listens on the port as long as the listener is kept.
    pub(crate) fn listen_for_a_while(&self) -> TcpListener {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseport(true).unwrap();
        socket.bind(self.address).unwrap();
        socket.listen(16).unwrap()
    }

    /// Listens on the port from now on.
    pub(crate) fn listen(self) -> TcpListener {
        self.socket.listen(16).unwrap()
    }
}
