//! Protects what goose would take of the whole process: Ctrl-C and standard output.
//!
//! - **Ctrl-C.** When a load starts, goose installs a handler with the crate `ctrlc`, once in the life of the
//!   process. It replaces any existing handler (also tokio's, which then receives no Ctrl-C), and at the second
//!   Ctrl-C it ends the process with code 1. Goose installs nothing if there is a handler that was itself
//!   installed with `ctrlc`. (A process that was started with Ctrl-C ignored, such as a background job of a
//!   script, has a handler in this sense.)
//! - **Standard output.** Goose installs a logger that prints warnings there: one for each request without a
//!   reply. It installs none if there is a logger already.

use std::process::exit;

use crate::Error;
use parking_lot::Mutex;

/// Keeps goose from taking Ctrl-C, so that it belongs to the caller.
///
/// Call it at the start of `main`, before anything listens for signals: an existing listener is silenced.
/// From then on Ctrl-C only wakes listeners such as `tokio::signal::ctrl_c`, so the caller should have one.
/// Further calls do nothing.
///
/// A process that never calls it and drives a load is ended by Ctrl-C, with code 130, as without goose.
///
/// # Errors
///
/// [`Error::CtrlC`] if the system refuses, or if the program uses the crate `ctrlc` itself.
pub fn reserve_ctrl_c() -> Result<(), Error> {
    let mut settled = SETTLED.lock();
    if !*settled {
        ctrlc::set_handler(|| ()).map_err(|error| Error::CtrlC(error.to_string()))?;
        *settled = true;
    }
    Ok(())
}

/// Keeps goose from taking Ctrl-C and standard output.
#[expect(
    clippy::disallowed_methods,
    reason = "a signal handler has nothing to return to"
)]
pub(crate) fn keep_from_goose() -> Result<(), Error> {
    // An error says that a logger exists already, which is enough. The ledger has everything that goose would
    // log about a request, so a silent logger loses nothing.
    let _ = log::set_logger(&SAYS_NOTHING);

    let mut settled = SETTLED.lock();
    if !*settled {
        // Unlike goose, this call fails if another handler is set, and does not silently replace it.
        ctrlc::try_set_handler(|| exit(CODE_OF_SIGINT)).map_err(|error| match error {
            ctrlc::Error::MultipleHandlers => Error::CtrlCTaken,
            error => Error::CtrlC(error.to_string()),
        })?;
        *settled = true;
    }
    Ok(())
}

/// The exit code that a shell reports for a process that Ctrl-C ended: 128 plus the number of the signal.
const CODE_OF_SIGINT: i32 = 130;

/// Whether the one handler that `ctrlc` allows in a process is ours.
static SETTLED: Mutex<bool> = Mutex::new(false);

static SAYS_NOTHING: SaysNothing = SaysNothing;

struct SaysNothing;

// === impl SaysNothing ===

impl log::Log for SaysNothing {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        false
    }

    fn log(&self, _: &log::Record<'_>) {}

    fn flush(&self) {}
}
