//! Why a run has no verdict.

use thiserror::Error;

use crate::{environment::EnvironmentError, report::FilesError};

/// Why there is no verdict.
#[derive(Debug, Error)]
pub enum RunError {
    /// No lab is available.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The load could not be driven.
    #[error(transparent)]
    Load(#[from] loadgen::Error),
    /// The target service of a scenario does not answer.
    #[error("{scenario}: nothing listens at its target {target}: {why}")]
    Target {
        /// The scenario.
        scenario: String,
        /// The address of the target.
        target: String,
        /// The error of the connection attempt.
        why: std::io::Error,
    },
    /// What a long load cannot keep could not be written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A scenario needs the shop, and the environment has no shop.
    #[error("there is no shop here to run the scenario in")]
    NoShop,
}
