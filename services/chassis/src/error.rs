//! [`Error`]: why a service could not start, or go on.

use std::io;

use crate::{DatabaseError, ListenError};

/// Why a service could not start, or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its address cannot be had.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Its database cannot be had.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// An `OTEL_*` variable has a value that cannot be used.
    #[error(transparent)]
    TelemetryConfig(#[from] telemetry::ConfigError),
    /// Telemetry cannot be started.
    #[error(transparent)]
    Telemetry(#[from] telemetry::InstallError),
    /// The system does not let the process wait for signals, or serve.
    #[error(transparent)]
    Io(#[from] io::Error),
}

// === impl Error ===

impl Error {
    /// What the process exits with: 2 if its input was wrong, 3 if its environment failed.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::TelemetryConfig(_) | Error::Database(DatabaseError::Url { .. }) => 2,
            _ => 3,
        }
    }
}
