//! Why a run has no verdict.

use thiserror::Error;

use crate::environment::EnvironmentError;

/// Why there is no verdict.
#[derive(Debug, Error)]
pub enum RunError {
    /// There is no lab to run in.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The load could not be driven.
    #[error(transparent)]
    Load(#[from] loadgen::Error),
    /// The service of a scenario does not answer.
    #[error("{scenario}: nothing listens at its target {target}: {why}")]
    Target {
        /// The scenario.
        scenario: String,
        /// Its target.
        target: String,
        /// What became of the attempt.
        why: std::io::Error,
    },
    /// A scenario of the shop is to be run where there is none.
    #[error("there is no shop here to run the scenario in")]
    NoShop,
}
