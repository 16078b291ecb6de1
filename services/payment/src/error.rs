//! The reasons for which payment refuses a request, and its replies.

use api::Problem;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chassis::http::Refusal;
use telemetry::Failed;

use crate::{card::CardError, charge::MAX_CENTS, provider::ProviderError};

/// Why payment refuses a request. The step in which the error occurred has recorded it: nothing is recorded
/// here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The amount is not positive, or larger than one charge may be.
    #[error("the amount is {0} cents; it must be from 1 to {MAX_CENTS}")]
    Amount(i64),
    /// The currency is not a code of three letters.
    #[error("the currency is {0:?}; it must be three letters, as in EUR")]
    Currency(String),
    /// The data of the card is not valid.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The bank declined the card.
    #[error("the bank that issued the card declined the charge")]
    Declined,
    /// The order was voided; a charge came too late.
    #[error("the charge of order {0} was voided; nothing will be charged for it")]
    Voided(String),
    /// The order has a charge already, with another amount.
    #[error("order {0} has a charge already, of another amount")]
    OtherAmount(String),
    /// The order has no charge.
    #[error("order {0} has no charge")]
    UnknownOrder(String),
    /// The provider failed.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

// === impl Error ===

/// Outside of the steps it is a plain error.
impl From<Failed<Error>> for Error {
    fn from(failed: Failed<Error>) -> Error {
        failed.into_error()
    }
}

impl From<Failed<CardError>> for Error {
    fn from(failed: Failed<CardError>) -> Error {
        failed.into_error().into()
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if let Error::Database(_) = self {
            return Refusal(Problem::internal()).into_response();
        }
        Refusal(self.problem().detail(self.to_string())).into_response()
    }
}

impl Error {
    fn problem(&self) -> Problem {
        match self {
            Error::Amount(_) => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid-amount",
                "The amount cannot be charged",
            ),
            Error::Currency(_) => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid-currency",
                "The currency code is not valid",
            ),
            Error::Card(error) => Problem::new(
                StatusCode::PAYMENT_REQUIRED,
                "card-invalid",
                "The card cannot be used",
            )
            .with("field", error.field()),
            Error::Declined | Error::Provider(ProviderError::Declined) => Problem::new(
                StatusCode::PAYMENT_REQUIRED,
                "card-declined",
                "The card was declined",
            ),
            Error::Voided(_) | Error::Provider(ProviderError::Cancelled) => Problem::new(
                StatusCode::CONFLICT,
                "charge-voided",
                "The charge was voided",
            ),
            Error::OtherAmount(_) => Problem::new(
                StatusCode::CONFLICT,
                "charge-differs",
                "The order has another charge",
            ),
            Error::UnknownOrder(_) => Problem::new(
                StatusCode::NOT_FOUND,
                "unknown-charge",
                "There is no such charge",
            ),
            Error::Provider(ProviderError::TimedOut(_)) => Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                "provider-timeout",
                "The payment provider took too long",
            ),
            Error::Provider(ProviderError::Unreachable(_)) => Problem::new(
                StatusCode::BAD_GATEWAY,
                "provider-unreachable",
                "The payment provider cannot be reached",
            ),
            Error::Provider(ProviderError::Failed(_)) => Problem::new(
                StatusCode::BAD_GATEWAY,
                "provider-failed",
                "The payment provider failed",
            ),
            Error::Database(_) => Problem::internal(),
        }
    }
}
