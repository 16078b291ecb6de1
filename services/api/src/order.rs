//! An order: how it is placed, how it stands, and the message that says it was placed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Card;

/// The body of `POST /checkout`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckoutRequest {
    /// The cart that becomes an order.
    pub cart_id: String,
    /// Where the confirmation goes.
    pub email: String,
    /// A discount code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupon: Option<String>,
    /// The card that pays.
    pub card: Card,
}

/// An order as its customer sees it: the reply of `POST /checkout` and `GET /orders/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReply {
    /// The id of the order.
    pub order_id: String,
    /// How it stands.
    pub status: OrderStatus,
    /// What is paid, in cents, the discount already taken off.
    pub total_cents: i64,
    /// What the coupon took off, in cents.
    pub discount_cents: i64,
    /// How many pieces, over all lines.
    pub item_count: i64,
    /// The id of the message that told the shop of the order; `None` while there is none.
    pub message_id: Option<String>,
    /// Why the order failed: the last part of the problem's type, such as `card-declined`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// How an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Written down, not yet paid and reserved.
    Pending,
    /// Paid, reserved, and the shop was told.
    Completed,
    /// Nothing is paid and nothing reserved.
    Failed,
}

/// The message `order.placed`.
///
/// A consumer is idempotent by [`OrderPlaced::message_id`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPlaced {
    /// The id of the message, the same at each delivery of it.
    pub message_id: String,
    /// The order.
    pub order_id: String,
    /// Where the confirmation goes.
    pub email: String,
    /// What was bought.
    pub lines: Vec<OrderLine>,
    /// What was paid, in cents, the discount already taken off.
    pub total_cents: i64,
    /// What the coupon took off, in cents.
    pub discount_cents: i64,
}

/// A line of an order, with what it was called and what it cost on that day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// The product.
    pub sku: String,
    /// Its name for people.
    pub name: String,
    /// How many.
    pub quantity: u32,
    /// The price of one, in cents.
    pub price_cents: i64,
}

// === impl OrderStatus ===

impl OrderStatus {
    /// The word for it, on the wire and in a database.
    pub fn as_str(self) -> &'static str {
        match self {
            OrderStatus::Pending => "pending",
            OrderStatus::Completed => "completed",
            OrderStatus::Failed => "failed",
        }
    }

    /// The status that a word stands for.
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
