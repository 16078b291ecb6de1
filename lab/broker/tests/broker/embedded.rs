//! An embedded broker for one test.

use broker::Config;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::soon;

/// A broker on a free port, which stops when it is dropped.
pub(crate) struct TestBroker {
    pub(crate) address: String,
    pub(crate) vhost: String,
    shutdown: CancellationToken,
    task: Option<JoinHandle<Result<(), broker::StoreError>>>,
}

impl TestBroker {
    /// Whether a client learns why its handshake failed.
    pub(crate) const SAYS_WHY: bool = true;

    pub(crate) async fn start() -> Self {
        Self::start_with(Config::default()).await
    }

    pub(crate) async fn start_with(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(broker::run(listener, config, shutdown.clone()));
        Self {
            address,
            vhost: "/".to_owned(),
            shutdown,
            task: Some(task),
        }
    }

    pub(crate) fn begin_shutdown(&self) {
        self.shutdown.cancel();
    }

    /// Waits until `broker::run` returns.
    pub(crate) async fn ended(mut self) {
        let task = self.task.take().unwrap();
        soon("the broker's end", task).await.unwrap().unwrap();
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
