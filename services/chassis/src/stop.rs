//! The stop signals of a process: SIGINT, SIGTERM, SIGHUP, or the end of standard input.

use std::{
    fs,
    io::{self, Read},
    process::exit,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// The time within which a service ends after it was told to.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Signals within this time after the first are the same request: a terminal that is closed is reported both by the
/// system and by the shell.
const SAME: Duration = Duration::from_millis(250);

/// The time that the process has after its deadline, in which it reports what did not end.
const SLACK: Duration = Duration::from_secs(1);

/// The time for the last words of a process that is ended.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// The exit code of a process that was interrupted, as shells report it for Ctrl-C.
const INTERRUPTED: i32 = 130;

/// A request to stop, with the deadline that it sets for the whole process. Clones share it.
#[derive(Clone, Debug)]
pub struct Stop {
    token: CancellationToken,
    deadline: Arc<OnceLock<Instant>>,
    patience: Duration,
}

/// A result on its way to its reader, which may be slow: the deadline of a stop does not end the process meanwhile.
#[derive(Debug)]
pub struct Printing(());

/// The number of results that are being written.
static PRINTING: AtomicUsize = AtomicUsize::new(0);

/// A token that is cancelled when the process is asked to stop. It then has [`PATIENCE`].
///
/// With `exit_with_parent` the end of standard input is a request to stop, too: the parent process holds the other
/// end of the pipe, and the operating system closes it even if the parent is killed.
///
/// # Errors
///
/// When the operating system refuses signal handlers or a thread.
pub fn stop_signal(exit_with_parent: bool) -> io::Result<CancellationToken> {
    let stop = Stop::on_signals(PATIENCE, || ())?;
    if exit_with_parent {
        stop.with_parent()?;
    }
    Ok(stop.token)
}

// === impl Stop ===

impl Stop {
    /// A stop that SIGINT, SIGTERM and SIGHUP ask for. SIGHUP is left alone if it was ignored when the process
    /// started, as `nohup` does (Linux alone says so).
    ///
    /// The process has `patience` from the first signal on, and ends a second later at the latest. A second signal
    /// ends it at once. In both cases `last` is called first: it ends what would outlive the process.
    ///
    /// # Errors
    ///
    /// When the operating system refuses signal handlers or a thread.
    pub fn on_signals(
        patience: Duration,
        last: impl FnOnce() + Send + 'static,
    ) -> io::Result<Stop> {
        let stop = Stop {
            token: CancellationToken::new(),
            deadline: Arc::default(),
            patience,
        };
        let (listens, is_listening) = mpsc::channel();
        let asked = stop.clone();
        // A thread with a runtime of its own: signals are heard whatever the other threads are busy with.
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let runtime = runtime::Builder::new_current_thread().enable_all().build();
                let heard = runtime.and_then(|runtime| {
                    runtime.block_on(async {
                        let signals = Signals::new()?;
                        let _ = listens.send(Ok(()));
                        asked.until_the_end(signals).await;
                        Ok(())
                    })
                });
                match heard {
                    Ok(()) => end(last),
                    Err(error) => drop(listens.send(Err(error))),
                }
            })?;
        let broken = || io::Error::other("the thread for signals has failed");
        is_listening.recv().map_err(|_| broken())??;
        Ok(stop)
    }

    /// Makes the end of standard input a request to stop.
    ///
    /// # Errors
    ///
    /// When the operating system refuses a thread.
    pub fn with_parent(&self) -> io::Result<()> {
        let orphaned = self.clone();
        // A thread outside the runtime: a runtime waits for its unfinished reads when it shuts down.
        thread::Builder::new()
            .name("parent-watch".to_owned())
            .spawn(move || {
                read_to_end(io::stdin().lock());
                orphaned.ask();
            })?;
        Ok(())
    }

    /// The token that is cancelled when the process is asked to stop.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Waits until the process is asked to stop.
    pub async fn asked(&self) {
        self.token.cancelled().await;
    }

    /// The instant by which everything must have ended. Without a request to stop it lies as far ahead as the
    /// request would set it.
    pub fn deadline(&self) -> Instant {
        let asked = self.deadline.get().copied();
        asked.unwrap_or_else(|| Instant::now() + self.patience)
    }

    /// Waits until the process is asked to stop and the deadline has passed.
    pub async fn over(&self) {
        self.asked().await;
        sleep_until(self.deadline()).await;
    }

    fn ask(&self) {
        self.deadline.get_or_init(|| Instant::now() + self.patience);
        self.token.cancel();
    }

    /// Returns when the process must end: at a second signal, or after the deadline.
    async fn until_the_end(&self, mut signals: Signals) {
        let is_told_by_signal = tokio::select! {
            () = signals.next() => true,
            () = self.asked() => false,
        };
        self.ask();
        let again = async {
            if !is_told_by_signal {
                signals.next().await;
            }
            signals.skip_the_same().await;
            signals.next().await;
        };
        let too_late = async {
            sleep_until(self.deadline() + SLACK).await;
            while PRINTING.load(Ordering::Acquire) > 0 {
                // After its result the process ends by itself.
                sleep(SLACK).await;
            }
            stderr::say(format_args!(
                "not everything has stopped within {} s; it is ended now",
                self.patience.as_secs()
            ));
        };
        tokio::select! {
            () = again => {}
            () = too_late => {}
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the process did not end by itself, and its threads may be stuck"
)]
fn end(last: impl FnOnce()) {
    last();
    stderr::flush(LAST_WORDS);
    exit(INTERRUPTED)
}

// === impl Printing ===

impl Printing {
    /// Notes that a result is written until this is dropped.
    pub fn begin() -> Printing {
        PRINTING.fetch_add(1, Ordering::AcqRel);
        Printing(())
    }
}

impl Drop for Printing {
    fn drop(&mut self) {
        PRINTING.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The signals that ask to stop.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` if it was ignored when the process started.
    hangup: Option<Signal>,
}

// === impl Signals ===

impl Signals {
    fn new() -> io::Result<Signals> {
        let hangup = match ignores_hangup() {
            true => None,
            false => Some(signal(SignalKind::hangup())?),
        };
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
        })
    }

    /// Takes the signals that follow the last at once, and belong to it.
    async fn skip_the_same(&mut self) {
        let more = async {
            loop {
                self.next().await;
            }
        };
        let _ = timeout(SAME, more).await;
    }

    async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => drop(hangup.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = hangup => {}
        }
    }
}

/// Whether this process ignores SIGHUP. There is no safe way to ask the system but Linux's list of ignored signals
/// (proc_pid_status(5), `SigIgn`); elsewhere the answer is no.
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    is_first_signal_ignored(&status)
}

/// Whether the mask of ignored signals has SIGHUP, which is number 1.
fn is_first_signal_ignored(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        assert!(is_first_signal_ignored(
            "Name:\tx\nSigIgn:\t0000000000001001\n"
        ));
        assert!(!is_first_signal_ignored(
            "Name:\tx\nSigIgn:\t0000000000001000\n"
        ));
        assert!(!is_first_signal_ignored(""));
    }
}
