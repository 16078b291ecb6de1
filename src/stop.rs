//! The token that stops a command on a signal.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by SIGINT and SIGTERM.
///
/// Ctrl-C is taken from goose, which would end only the load; here it ends the whole lab.
pub(crate) fn on_signals() -> anyhow::Result<CancellationToken> {
    loadgen::reserve_ctrl_c()?;
    let stop = CancellationToken::new();
    let cancel = stop.clone();
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be received")?;
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be received")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        cancel.cancel();
    });
    Ok(stop)
}
