//! The log of a command, on standard error. Services have their own, with their telemetry.

use tracing_subscriber::filter::LevelFilter;

/// Starts the log. It has warnings alone.
pub(crate) fn start() {
    tracing_subscriber::fmt()
        .with_writer(stderr::writer)
        // A standard error without a reader is no reason to end.
        .log_internal_errors(false)
        .with_max_level(LevelFilter::WARN)
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .init();
}
