//! Cards and charges: what checkout and payment say to each other.

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
    /// The last month in which it is good, as `MM/YY`.
    pub expiry: String,
    /// The three or four digits of the security code.
    pub cvc: String,
}

/// The body of `POST /charges`. Asking again for the same order charges nothing twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChargeRequest {
    /// The order that is paid for.
    pub order_id: String,
    /// How much, in cents.
    pub amount_cents: i64,
    /// The currency as ISO 4217 writes it, such as `EUR`.
    pub currency: String,
    /// The card that pays.
    pub card: Card,
}

/// A charge as payment keeps it: the reply of `POST /charges`, `GET /charges/{order_id}` and
/// `POST /charges/{order_id}/void`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The order that is paid for.
    pub order_id: String,
    /// The provider's id. There is none until the provider has charged.
    pub charge_id: Option<String>,
    /// How it stands.
    pub status: ChargeStatus,
    /// How much, in cents. Zero for an order that was voided before any charge was asked for.
    pub amount_cents: i64,
}

/// How a charge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeStatus {
    /// The provider was asked, or is about to be; its answer is not recorded yet.
    Pending,
    /// The provider has charged the card.
    Charged,
    /// The provider refused the card.
    Declined,
    /// Nothing is charged, and nothing ever will be for this order.
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
    /// The word for it, on the wire and in a database.
    pub fn as_str(self) -> &'static str {
        match self {
            ChargeStatus::Pending => "pending",
            ChargeStatus::Charged => "charged",
            ChargeStatus::Declined => "declined",
            ChargeStatus::Voided => "voided",
        }
    }

    /// The status that a word stands for.
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
