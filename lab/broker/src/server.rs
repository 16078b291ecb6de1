//! Accepts connections until shutdown.

use std::sync::Arc;

use tcp::Listener;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::broker::Broker;
use crate::config::Config;
use crate::connection;
use crate::store::StoreError;

/// Serves AMQP 0-9-1 on `listener` until `shutdown` is cancelled.
///
/// Then every connection is closed with 320 (`CONNECTION_FORCED`), and the function returns when all have
/// ended, after some seconds at most. Messages that are not in the store are lost.
///
/// # Errors
///
/// When the store cannot be opened. A failed connection ends alone, and a failure to accept one is logged and
/// tried again.
///
/// The number of connections is bounded ([`tcp::Places`]). Above the bound the connection without a channel that has
/// been silent for the longest time is closed for the new one.
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
    let mut listener = Listener::new(listener);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            (stream, place) = listener.accept() => {
                let broker = Arc::clone(&broker);
                connections.spawn(connection::serve(stream, place, broker, shutdown.clone()));
            }
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

/// Logs the error of a connection's task that ended by a defect of the broker.
fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        warn!(%error, "a connection failed");
    }
}
