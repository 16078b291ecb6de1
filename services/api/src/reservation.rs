//! Stock that is set aside for an order.

use serde::{Deserialize, Serialize};

use crate::CartLine;

/// The body of `POST /reservations`. Asking again for the same order changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReserveRequest {
    /// The order that the stock is for.
    pub order_id: String,
    /// What it needs. All of it is reserved, or none.
    pub lines: Vec<CartLine>,
}

/// The reply of `POST /reservations`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The order that the stock is for.
    pub order_id: String,
    /// What is reserved, by SKU; lines of the same SKU are added up.
    pub lines: Vec<CartLine>,
}
