//! [`Error`]: why a service could not start, or had to stop.

use std::io;

use crate::{DatabaseError, ListenError};

/// Why a service could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service cannot listen on its address.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// An `OTEL_*` variable has a value that cannot be used.
    #[error(transparent)]
    TelemetryConfig(#[from] telemetry::ConfigError),
    /// The telemetry pipeline cannot be started.
    #[error(transparent)]
    Telemetry(#[from] telemetry::InstallError),
    /// The operating system refuses signal handling or accepting connections.
    #[error(transparent)]
    Io(#[from] io::Error),
}

// === impl Error ===

impl Error {
    /// The exit code of the process: 2 if its input was wrong, 3 if its environment failed.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::TelemetryConfig(_) | Error::Database(DatabaseError::Url { .. }) => 2,
            _ => 3,
        }
    }
}
