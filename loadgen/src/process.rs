//! What goose takes of the whole process, unless it is taken first: Ctrl-C and standard output.
//!
//! - **Ctrl-C.** When a load starts, goose installs a handler with the crate `ctrlc`, once in the
//!   life of the process. It replaces a handler that is there (tokio's too, which then never hears
//!   of Ctrl-C), and at the second Ctrl-C it ends the process with code 1. It gives way only to a
//!   handler that was itself installed with `ctrlc`. (A process also starts with a handler of sorts if
//!   it was started with Ctrl-C ignored, as a background job of a script is.)
//! - **Standard output.** Goose installs a logger that prints warnings there: one for each request
//!   without a reply. It gives way to a logger that is installed already.

use std::process::exit;

use crate::Error;
use parking_lot::Mutex;

/// Keeps goose from taking Ctrl-C, so that it belongs to the caller.
///
/// Call it at the start of `main`, before anything listens for signals: a listener that is there
/// already is silenced. From then on Ctrl-C does nothing but wake those who listen for it, such as
/// `tokio::signal::ctrl_c`, so a caller should. Calling it again does nothing.
///
/// A process that never calls it and drives a load is ended by Ctrl-C, with code 130, as it would
/// be without goose.
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

/// Sees to it that goose can take neither Ctrl-C nor standard output.
#[expect(
    clippy::disallowed_methods,
    reason = "a signal handler has nothing to return to"
)]
pub(crate) fn keep_from_goose() -> Result<(), Error> {
    // An error says that a logger is there, which is all that is wanted. What goose would log of a
    // request is in the ledger, so a logger that says nothing loses nothing.
    let _ = log::set_logger(&SAYS_NOTHING);

    let mut settled = SETTLED.lock();
    if !*settled {
        // Unlike goose, this fails where another handler is set, and does not replace it in silence.
        ctrlc::try_set_handler(|| exit(CODE_OF_SIGINT)).map_err(|error| match error {
            ctrlc::Error::MultipleHandlers => Error::CtrlCTaken,
            error => Error::CtrlC(error.to_string()),
        })?;
        *settled = true;
    }
    Ok(())
}

/// What a shell reports of a process that Ctrl-C ended: 128 and the number of the signal.
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
