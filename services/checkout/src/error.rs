//! The errors of carts and orders, and the replies that clients get for them.
//!
//! The enums do not know HTTP; the code below them maps each error to a reply, in one place.

use api::Problem;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chassis::http::Refusal;
use thiserror::Error;

/// Why a cart is refused.
#[derive(Debug, Error)]
pub(crate) enum CartError {
    #[error("a cart needs at least one line")]
    Empty,
    #[error("the cart has {lines} lines; it may have up to {most}")]
    TooManyLines { lines: usize, most: usize },
    #[error("the id of a cart may have up to {longest} characters")]
    LongId { longest: usize },
    #[error("the id of a cart may have no control characters")]
    BadId,
    #[error(
        "{field}: {sku:?} cannot be the SKU of a product; that has 1 to {longest} bytes, no comma, no control \
         characters such as line breaks, and no space at its ends"
    )]
    BadSku {
        field: String,
        sku: String,
        longest: usize,
    },
    #[error("the quantity of {sku} is {quantity}; it must be from 1 to {most}")]
    BadQuantity {
        sku: String,
        quantity: u32,
        most: u32,
    },
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}

/// Why an order is not completed.
#[derive(Debug, Error)]
pub(crate) enum OrderError {
    #[error("the cart {cart_id:?} is empty, or was never put")]
    EmptyCart { cart_id: String },
    #[error("{email:?} is not an e-mail address")]
    BadEmail { email: String },
    #[error("there is no coupon {code:?}")]
    UnknownCoupon { code: String },
    #[error("the coupon {code:?} has expired")]
    ExpiredCoupon { code: String },
    #[error("there is no product {}", skus.join(", "))]
    UnknownSku { skus: Vec<String> },
    #[error("there is not enough in stock of {}", skus.join(", "))]
    OutOfStock { skus: Vec<String> },
    #[error("the stock was given back when the order was undone")]
    Released,
    #[error("the card was refused: {why}")]
    CardRefused { kind: &'static str, why: String },
    #[error("the order cannot be paid by card: {why}")]
    Amount { why: String },
    #[error("payment could not be reached or failed: {why}")]
    Payment { why: String },
    #[error("inventory could not be reached or failed: {why}")]
    Inventory { why: String },
    #[error("an order is being placed under this idempotency key")]
    InProgress,
    #[error("another order was placed under this idempotency key")]
    KeyReused,
    #[error("an idempotency key has from 1 to {longest} characters")]
    BadKey { longest: usize },
    #[error("the order {order_id} is not settled yet: {cause}")]
    Unresolved {
        order_id: String,
        cause: Box<OrderError>,
    },
    #[error("an earlier request under this idempotency key failed: {failure}")]
    FailedEarlier { failure: String },
    #[error("there is no order {order_id:?}")]
    UnknownOrder { order_id: String },
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}

/// An order error on its way up through the steps.
pub(crate) type Failed = telemetry::Failed<OrderError>;

/// The clean-up after an order that was not completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aftermath {
    /// None: nothing was charged and nothing reserved.
    Nothing,
    /// Undo: there may be a charge or a reservation.
    Undo,
    /// Unknown: the order may even be completed.
    Unknown,
}

// === impl OrderError ===

impl OrderError {
    /// The clean-up after an order that failed with this error.
    pub(crate) fn aftermath(&self) -> Aftermath {
        use OrderError::*;
        match self {
            EmptyCart { .. }
            | UnknownCoupon { .. }
            | ExpiredCoupon { .. }
            | CardRefused { .. }
            | Amount { .. }
            | InProgress => Aftermath::Nothing,
            // The order may be completed: recovery reads its state from the database.
            Database(_) => Aftermath::Unknown,
            _ => Aftermath::Undo,
        }
    }

    /// The kind of problem in the reply.
    pub(crate) fn kind(&self) -> &'static str {
        self.meaning().0
    }

    /// The reply in HTTP: the kind of problem, its status and its title.
    fn meaning(&self) -> (&'static str, StatusCode, &'static str) {
        use OrderError::*;
        let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
        match self {
            EmptyCart { .. } => ("empty-cart", unprocessable, "The cart is empty"),
            BadEmail { .. } => (
                "bad-email",
                unprocessable,
                "The e-mail address cannot be used",
            ),
            UnknownCoupon { .. } => ("unknown-coupon", unprocessable, "There is no such coupon"),
            ExpiredCoupon { .. } => ("expired-coupon", unprocessable, "The coupon has expired"),
            UnknownSku { .. } => ("unknown-sku", unprocessable, "There is no such product"),
            OutOfStock { .. } => (
                "out-of-stock",
                StatusCode::CONFLICT,
                "There is not enough in stock",
            ),
            Released => ("interrupted", StatusCode::CONFLICT, "The order was undone"),
            CardRefused { kind, .. } => {
                (kind, StatusCode::PAYMENT_REQUIRED, "The card was refused")
            }
            Amount { .. } => (
                "amount-not-payable",
                unprocessable,
                "The order cannot be paid by card",
            ),
            Payment { .. } => (
                "payment-unavailable",
                StatusCode::BAD_GATEWAY,
                "Payment is not available",
            ),
            Inventory { .. } => (
                "inventory-unavailable",
                StatusCode::BAD_GATEWAY,
                "Inventory is not available",
            ),
            InProgress => (
                "order-in-progress",
                StatusCode::CONFLICT,
                "The order is still being placed",
            ),
            KeyReused => (
                "idempotency-key-reused",
                unprocessable,
                "The idempotency key was used before",
            ),
            BadKey { .. } => {
                let bad = StatusCode::BAD_REQUEST;
                (
                    "bad-idempotency-key",
                    bad,
                    "The idempotency key cannot be used",
                )
            }
            Unresolved { .. } => {
                let unavailable = StatusCode::SERVICE_UNAVAILABLE;
                (
                    "order-unresolved",
                    unavailable,
                    "The order is not settled yet",
                )
            }
            FailedEarlier { .. } => (
                "order-failed",
                StatusCode::CONFLICT,
                "The order failed before",
            ),
            UnknownOrder { .. } => (
                "unknown-order",
                StatusCode::NOT_FOUND,
                "There is no such order",
            ),
            Database(_) => (
                "internal",
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong on our side",
            ),
        }
    }

    fn problem(&self) -> Problem {
        if let OrderError::Database(error) = self {
            tracing::error!(%error, "the database failed");
            return Problem::internal();
        }
        let (kind, status, title) = self.meaning();
        let problem = Problem::new(status, kind, title).detail(format!("{self}."));
        match self {
            OrderError::UnknownSku { skus } | OrderError::OutOfStock { skus } => {
                problem.with("skus", skus.clone())
            }
            OrderError::Unresolved { order_id, .. } => problem.with("order_id", order_id.as_str()),
            OrderError::FailedEarlier { failure } => problem.with("failure", failure.as_str()),
            _ => problem,
        }
    }
}

/// Outside of the steps it is a plain error.
impl From<Failed> for OrderError {
    fn from(failed: Failed) -> OrderError {
        failed.into_error()
    }
}

impl IntoResponse for OrderError {
    fn into_response(self) -> Response {
        Refusal(self.problem()).into_response()
    }
}

// === impl CartError ===

impl IntoResponse for CartError {
    fn into_response(self) -> Response {
        let (kind, title) = match &self {
            CartError::Database(error) => {
                tracing::error!(%error, "the database failed");
                return Refusal(Problem::internal()).into_response();
            }
            CartError::Empty => ("empty-cart", "The cart is empty"),
            CartError::BadSku { .. } => ("bad-sku", "A line has no usable SKU"),
            _ => ("bad-cart", "The cart is not valid"),
        };
        let status = match &self {
            CartError::BadSku { .. } | CartError::BadId => StatusCode::BAD_REQUEST,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let problem = Problem::new(status, kind, title).detail(format!("{self}."));
        let problem = match &self {
            CartError::BadSku { field, .. } => problem.with("field", field.as_str()),
            _ => problem,
        };
        Refusal(problem).into_response()
    }
}
