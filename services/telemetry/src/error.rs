//! Why telemetry could not be set up.

use std::io;

use thiserror::Error;

/// Why telemetry could not be set up.
#[derive(Debug, Error)]
pub enum InstallError {
    /// The exporter refused its configuration.
    #[error("the OTLP exporter cannot be built: {0}")]
    Exporter(String),
    /// The export thread could not be started.
    #[error("the export thread cannot be started: {0}")]
    Thread(#[from] io::Error),
    /// The process has a global subscriber already.
    #[error("telemetry is set up twice in one process: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}
