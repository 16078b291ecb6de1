//! Accepts connections until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::broker::Broker;
use crate::config::Config;
use crate::connection;
use crate::store::StoreError;

/// How long accepting pauses after a failure: it is most often that the process has too many files
/// open, which lasts until some connection ends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves AMQP 0-9-1 on `listener` until `shutdown`.
///
/// Then every connection is closed with 320 (`CONNECTION_FORCED`), and the function returns when all
/// are gone, after some seconds at most. What is not in the store is gone with it.
///
/// # Errors
///
/// If the store cannot be opened. A connection that fails ends alone, and a failure to accept one is
/// logged and tried again.
pub async fn run(
    listener: TcpListener,
    config: Config,
    shutdown: CancellationToken,
) -> Result<(), StoreError> {
    let broker = Broker::open(config)?;
    let timer = tokio::spawn({
        let broker = Arc::clone(&broker);
        async move { broker.keep_time().await }
    });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    debug!(%peer, "connected");
                    connections.spawn(connection::serve(stream, Arc::clone(&broker), shutdown.clone()));
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => report(ended),
            () = shutdown.cancelled() => break,
        }
    }
    // No connection is accepted while the others are closed.
    drop(listener);
    while let Some(ended) = connections.join_next().await {
        report(ended);
    }
    timer.abort();
    broker.close();
    Ok(())
}

/// A connection's task ends by itself, or by a fault in the broker.
fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        warn!(%error, "a connection failed");
    }
}
