//! The reasons for which the provider refuses a request, and its replies.

use api::Problem;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chassis::http::Refusal;

/// Why the provider refuses a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("POST /v1/charges needs the header Idempotency-Key, so that it may be sent again")]
    NoKey,
    #[error("the bank that issued the card declined the charge")]
    Declined,
    #[error("the key was cancelled: nothing is charged under it any more")]
    Cancelled,
    #[error("the key was used before, for another amount or currency")]
    OtherAmount,
    #[error("no charge has this id")]
    Unknown,
    #[error("the provider is out of order")]
    OutOfOrder(StatusCode),
    #[error("{0}")]
    Fault(#[from] faults::Error),
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}

// === impl Error ===

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, kind, title) = match &self {
            Error::NoKey => (
                StatusCode::BAD_REQUEST,
                "no-idempotency-key",
                "The idempotency key is missing",
            ),
            Error::Declined => (
                StatusCode::PAYMENT_REQUIRED,
                "card-declined",
                "The card was declined",
            ),
            Error::Cancelled => (
                StatusCode::CONFLICT,
                "charge-cancelled",
                "The charge was cancelled",
            ),
            Error::OtherAmount => (
                StatusCode::CONFLICT,
                "idempotency-key-reused",
                "The idempotency key was used for another charge",
            ),
            Error::Unknown => (
                StatusCode::NOT_FOUND,
                "unknown-charge",
                "There is no such charge",
            ),
            Error::OutOfOrder(status) => (*status, "out-of-order", "The provider is out of order"),
            Error::Fault(error) => return chassis::fault_switch::refusal(error).into_response(),
            Error::Database(_) => {
                // The provider has no telemetry, and its customers must not see what failed inside.
                stderr::say(format_args!("provider: {self}"));
                return Refusal(Problem::internal()).into_response();
            }
        };
        let problem = Problem::new(status, kind, title);
        Refusal(problem.detail(self.to_string())).into_response()
    }
}
