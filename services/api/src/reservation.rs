//! Stock that is reserved for an order.

use serde::{Deserialize, Serialize};

use crate::CartLine;

/// The body of `POST /reservations`. A second request for the same order changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReserveRequest {
    /// The order that the stock is for.
    pub order_id: String,
    /// The lines of the order. All of them are reserved, or none.
    pub lines: Vec<CartLine>,
}

/// The reply of `POST /reservations`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The order that the stock is for.
    pub order_id: String,
    /// The reserved lines, by SKU; lines of the same SKU are added up.
    pub lines: Vec<CartLine>,
}
