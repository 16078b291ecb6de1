//! When a service stops: SIGTERM, SIGINT, or the end of standard input.

use std::{
    io::{self, Read},
    thread,
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled when the process is asked to stop.
///
/// With `exit_with_parent` the end of standard input is such a request: whoever started the
/// process holds the other end of a pipe, and the system closes it even if that process is killed.
///
/// # Errors
///
/// When the system does not let the process wait for signals, or start a thread.
pub fn stop_signal(exit_with_parent: bool) -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let signalled = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        signalled.cancel();
    });
    if exit_with_parent {
        let orphaned = stop.clone();
        // A thread of its own, for a runtime waits at its end for reads that it has begun.
        thread::Builder::new()
            .name("parent-watch".to_owned())
            .spawn(move || {
                read_to_end(io::stdin().lock());
                orphaned.cancel();
            })?;
    }
    Ok(stop)
}

fn read_to_end(mut input: impl Read) {
    let mut ignored = [0; 256];
    loop {
        match input.read(&mut ignored) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
