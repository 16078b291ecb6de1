//! The reasons for which inventory refuses a request, and its replies.

use api::Problem;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chassis::http::Refusal;
use serde_json::json;

/// Why inventory refuses a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A request for prices or stock names no product.
    #[error("the query must name products: ?sku=TENT-2P-GRN,MUG-BLU")]
    NoSkus,
    /// A request names more products than one request may.
    #[error("{count} products are too many for one request; up to {limit} are taken")]
    TooMany { count: usize, limit: usize },
    /// A request for prices or stock names unknown products.
    #[error("the catalogue does not have {}", .0.join(", "))]
    UnknownProducts(Vec<String>),
    /// A reservation names unknown products.
    #[error("the catalogue does not have {}", .0.join(", "))]
    UnknownLines(Vec<String>),
    /// A text is no SKU.
    #[error(
        "{field}: {sku:?} cannot be the SKU of a product; that has no control characters such as line breaks"
    )]
    BadSku { field: String, sku: String },
    /// A reservation has no lines.
    #[error("a reservation needs at least one line")]
    NoLines,
    /// A line of a reservation has the quantity zero.
    #[error("the quantity of {0} must be at least 1")]
    NoQuantity(String),
    /// The stock of some products is smaller than the requested quantity.
    #[error("{}", describe(.0))]
    OutOfStock(Vec<Shortage>),
    /// The order's reservation was released, so it cannot be made again.
    #[error("the reservation of order {0} was released, and cannot be made again")]
    Released(String),
    /// The order has a reservation already, with other lines.
    #[error("order {0} has a reservation already, with other lines")]
    Differs(String),
    /// The fault does not exist on SQLite.
    #[error(
        "the fault deadlock needs PostgreSQL: SQLite has one lock for the whole database, so no two \
         orders can each hold what the other waits for"
    )]
    NeedsPostgresql,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// A product whose stock is smaller than the requested quantity.
#[derive(Debug)]
pub(crate) struct Shortage {
    pub(crate) sku: String,
    pub(crate) wanted: i64,
    pub(crate) available: i64,
}

// === impl Error ===

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Refusal(self.into_problem()).into_response()
    }
}

impl Error {
    fn into_problem(self) -> Problem {
        let detail = self.to_string();
        let problem = match self {
            Error::NoSkus => Problem::new(
                StatusCode::BAD_REQUEST,
                "no-products",
                "The query names no product",
            ),
            Error::TooMany { limit, .. } => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "too-many-products",
                "The request names too many products",
            )
            .with("limit", limit),
            Error::UnknownProducts(skus) => unknown(StatusCode::NOT_FOUND, skus),
            Error::UnknownLines(skus) => unknown(StatusCode::UNPROCESSABLE_ENTITY, skus),
            Error::BadSku { field, .. } => {
                Problem::new(StatusCode::BAD_REQUEST, "bad-sku", "This is no SKU")
                    .with("field", field)
            }
            Error::NoLines => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "empty-reservation",
                "There is nothing to reserve",
            ),
            Error::NoQuantity(sku) => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "no-quantity",
                "A line asks for none of its product",
            )
            .with("skus", vec![sku]),
            Error::OutOfStock(shortages) => out_of_stock(&shortages),
            Error::Released(_) => Problem::new(
                StatusCode::CONFLICT,
                "reservation-released",
                "The reservation was released",
            ),
            Error::Differs(_) => Problem::new(
                StatusCode::CONFLICT,
                "reservation-differs",
                "The order has another reservation",
            ),
            Error::NeedsPostgresql => Problem::new(
                StatusCode::BAD_REQUEST,
                "bad-fault",
                "The fault cannot be switched on",
            ),
            Error::Database(error) => {
                telemetry::exception::record(&error);
                return Problem::internal();
            }
        };
        problem.detail(detail)
    }
}

fn unknown(status: StatusCode, skus: Vec<String>) -> Problem {
    Problem::new(status, "unknown-sku", "The catalogue does not have this").with("skus", skus)
}

fn out_of_stock(shortages: &[Shortage]) -> Problem {
    let skus: Vec<_> = shortages.iter().map(|short| short.sku.clone()).collect();
    let shortages: Vec<_> = shortages
        .iter()
        .map(|short| json!({ "sku": short.sku, "wanted": short.wanted, "available": short.available }))
        .collect();
    Problem::new(
        StatusCode::CONFLICT,
        "out-of-stock",
        "There is not enough in stock",
    )
    .with("skus", skus)
    .with("shortages", shortages)
}

fn describe(shortages: &[Shortage]) -> String {
    let each: Vec<_> = shortages
        .iter()
        .map(|short| {
            format!(
                "of {} there are {}, and {} are wanted",
                short.sku, short.available, short.wanted
            )
        })
        .collect();
    each.join("; ")
}
