//! An order: the request that places it, its state, and the message that announces it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Card;

/// The body of `POST /checkout`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckoutRequest {
    /// The cart that becomes an order.
    pub cart_id: String,
    /// The e-mail address that receives the confirmation.
    pub email: String,
    /// A discount code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupon: Option<String>,
    /// The card that is charged.
    pub card: Card,
}

/// An order as its customer sees it: the reply of `POST /checkout` and `GET /orders/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReply {
    /// The id of the order.
    pub order_id: String,
    /// The state of the order.
    pub status: OrderStatus,
    /// The amount to pay in cents, after the discount.
    pub total_cents: i64,
    /// The discount of the coupon, in cents.
    pub discount_cents: i64,
    /// The number of pieces, over all lines.
    pub item_count: i64,
    /// The id of the message that announced the order; `None` until one is written.
    pub message_id: Option<String>,
    /// Why the order failed: the last part of the problem's type, such as `card-declined`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// The state of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Stored, not yet paid and reserved.
    Pending,
    /// Paid and reserved, and its message is written.
    Completed,
    /// Failed: nothing is charged and nothing reserved.
    Failed,
}

/// The message `order.placed`.
///
/// A consumer is idempotent by [`OrderPlaced::message_id`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPlaced {
    /// The id of the message, equal in every delivery of it.
    pub message_id: String,
    /// The order.
    pub order_id: String,
    /// The e-mail address that receives the confirmation.
    pub email: String,
    /// The lines that were bought.
    pub lines: Vec<OrderLine>,
    /// The amount that was paid in cents, after the discount.
    pub total_cents: i64,
    /// The discount of the coupon, in cents.
    pub discount_cents: i64,
}

/// A line of an order, with the product's name and price on the day of the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// The product.
    pub sku: String,
    /// The name that is shown to people.
    pub name: String,
    /// The quantity.
    pub quantity: u32,
    /// The price of one piece, in cents.
    pub price_cents: i64,
}

// === impl OrderStatus ===

impl OrderStatus {
    /// The word for this status, in messages and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            OrderStatus::Pending => "pending",
            OrderStatus::Completed => "completed",
            OrderStatus::Failed => "failed",
        }
    }

    /// The status for a word; `None` if there is none.
    pub fn parse(word: &str) -> Option<OrderStatus> {
        [
            OrderStatus::Pending,
            OrderStatus::Completed,
            OrderStatus::Failed,
        ]
        .into_iter()
        .find(|status| status.as_str() == word)
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_the_same_word_on_the_wire_and_in_a_database() {
        for status in [
            OrderStatus::Pending,
            OrderStatus::Completed,
            OrderStatus::Failed,
        ] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            assert_eq!(OrderStatus::parse(status.as_str()), Some(status));
        }
        assert_eq!(OrderStatus::parse("shipped"), None);
    }
}
