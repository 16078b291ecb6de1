//! The stop signals of a service: SIGTERM, SIGINT, or the end of standard input.

use std::{
    io::{self, Read},
    thread,
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled when the process is asked to stop.
///
/// With `exit_with_parent` the end of standard input is a stop signal: the parent process holds the other
/// end of the pipe, and the operating system closes it even if the parent is killed.
///
/// # Errors
///
/// When the operating system refuses signal handlers or a thread.
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
        // A thread outside the runtime: a runtime waits for its unfinished reads when it shuts down.
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
