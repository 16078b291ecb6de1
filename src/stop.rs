//! The stop of a command, on a signal.

use std::time::Duration;

use anyhow::Context;
use chassis::Stop;

/// The time within which a command ends after the first signal.
const PATIENCE: Duration = Duration::from_secs(8);

/// A stop that SIGINT, SIGTERM and SIGHUP ask for. A second signal ends the command at once, with its children.
///
/// Ctrl-C is taken from goose, which would end only the load; here it ends the whole lab.
pub(crate) fn on_signals() -> anyhow::Result<Stop> {
    on_signals_within(PATIENCE)
}

/// As [`on_signals`], with another time.
pub(crate) fn on_signals_within(patience: Duration) -> anyhow::Result<Stop> {
    loadgen::reserve_ctrl_c()?;
    Stop::on_signals(patience, supervisor::kill_all).context("signals cannot be received")
}
