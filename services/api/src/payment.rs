//! Cards and charges: the messages between checkout and payment.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A payment card.
///
/// Its [`Debug`] form hides the number and the security code, so that neither reaches a log or a
/// span by accident.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// The digits on the front; spaces between them are allowed.
    pub number: String,
    /// The last month in which the card is valid, as `MM/YY`.
    pub expiry: String,
    /// The three or four digits of the security code.
    pub cvc: String,
}

/// The body of `POST /charges`. A second request for the same order charges nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChargeRequest {
    /// The order that is paid for.
    pub order_id: String,
    /// The amount, in cents.
    pub amount_cents: i64,
    /// The currency as ISO 4217 writes it, such as `EUR`.
    pub currency: String,
    /// The card that is charged.
    pub card: Card,
}

/// A charge as payment stores it: the reply of `POST /charges`, `GET /charges/{order_id}` and `POST
/// /charges/{order_id}/void`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The order that is paid for.
    pub order_id: String,
    /// The id that the provider gave the charge; `None` until the provider has charged.
    pub charge_id: Option<String>,
    /// The state of the charge.
    pub status: ChargeStatus,
    /// The amount, in cents. Zero for an order that was voided before a charge was requested.
    pub amount_cents: i64,
}

/// The state of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeStatus {
    /// The request to the provider is sent or about to be; its answer is not recorded yet.
    Pending,
    /// The provider has charged the card.
    Charged,
    /// The provider refused the card.
    Declined,
    /// Nothing is charged, and nothing will ever be charged for this order.
    Voided,
}

// === impl Card ===

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Card")
            .field("number", &"(hidden)")
            .field("expiry", &self.expiry)
            .field("cvc", &"(hidden)")
            .finish()
    }
}

// === impl ChargeStatus ===

impl ChargeStatus {
    /// The word for this status, in messages and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            ChargeStatus::Pending => "pending",
            ChargeStatus::Charged => "charged",
            ChargeStatus::Declined => "declined",
            ChargeStatus::Voided => "voided",
        }
    }

    /// The status for a word; `None` if there is none.
    pub fn parse(word: &str) -> Option<ChargeStatus> {
        [
            ChargeStatus::Pending,
            ChargeStatus::Charged,
            ChargeStatus::Declined,
            ChargeStatus::Voided,
        ]
        .into_iter()
        .find(|status| status.as_str() == word)
    }
}

impl fmt::Display for ChargeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn the_debug_form_of_a_card_hides_its_number_and_code() {
        let card = Card {
            number: "4242 4242 4242 4242".into(),
            expiry: "12/39".into(),
            cvc: "937".into(),
        };
        let shown = format!("{card:?}");
        assert!(!shown.contains("4242"), "{shown}");
        assert!(!shown.contains("937"), "{shown}");
        assert!(shown.contains("12/39"), "{shown}");
    }

    #[test]
    fn a_status_is_the_same_word_on_the_wire_and_in_a_database() {
        for status in [
            ChargeStatus::Pending,
            ChargeStatus::Charged,
            ChargeStatus::Declined,
            ChargeStatus::Voided,
        ] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            assert_eq!(ChargeStatus::parse(status.as_str()), Some(status));
        }
        assert_eq!(ChargeStatus::parse("refunded"), None);
    }
}
