//! A service on a free port, for one test.

use std::net::SocketAddr;

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A service that runs until it is stopped or dropped.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    served: JoinHandle<Result<(), chassis::Error>>,
    stop: DropGuard,
}

impl Service {
    /// Binds a listener, and starts the future that `serve` makes of it and of a stop token.
    pub(crate) async fn start<F>(serve: impl FnOnce(TcpListener, CancellationToken) -> F) -> Service
    where
        F: Future<Output = Result<(), chassis::Error>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = tokio::spawn(serve(listener, stop.clone()));
        Service {
            address,
            served,
            stop: stop.drop_guard(),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks the service to stop; the returned future ends when it has stopped.
    pub(crate) fn stop(self) -> JoinHandle<Result<(), chassis::Error>> {
        drop(self.stop);
        self.served
    }
}
