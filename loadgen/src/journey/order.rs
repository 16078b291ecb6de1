//! An order: fills a cart, then checks out.

use std::time::Duration;

use api::{Card, CheckoutRequest};
use goose::goose::{GooseMethod, GooseUser};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    ShopClient,
    exchange::{Body, PlannedRequest},
};
use crate::{OrderJourney, dispatcher::Ticket, ledger::Step};

/// A number that card networks reserve for tests.
const CARD_NUMBER: &str = "4242 4242 4242 4242";

impl ShopClient {
    pub(super) async fn order(
        &self,
        user: &mut GooseUser,
        ticket: Ticket,
        late: Duration,
        order: &OrderJourney,
    ) -> bool {
        let cart_id = Uuid::new_v4().to_string();
        let path = format!("/carts/{cart_id}");
        let cart = self.cart(ticket.journey, order);
        let filled = self
            .exchange(
                user,
                PlannedRequest {
                    step: Step::Cart,
                    method: GooseMethod::Put,
                    path: &path,
                    headers: &[],
                    body: Body::json(&cart),
                    journey: ticket.journey,
                    planned: ticket.planned,
                    context: None,
                },
            )
            .await;
        let succeeded = filled.succeeded();
        let written = self.ledger.record(filled);
        if !succeeded {
            let why = "the cart could not be filled";
            return self.never_started(Step::Checkout, ticket, why) && written;
        }
        let now = Instant::now();
        let checkout = checkout(ticket.journey, cart_id, order.coupon);
        let placed = self
            .exchange(
                user,
                PlannedRequest {
                    step: Step::Checkout,
                    method: GooseMethod::Post,
                    path: "/checkout",
                    headers: &[],
                    body: Body::json(&checkout),
                    journey: ticket.journey,
                    // A journey that began late has the same delay in this step.
                    planned: now.checked_sub(late).unwrap_or(now),
                    context: None,
                },
            )
            .await;
        self.ledger.record(placed) && written
    }
}

fn checkout(journey: u64, cart_id: String, coupon: bool) -> CheckoutRequest {
    CheckoutRequest {
        cart_id,
        email: format!("customer-{journey}@example.com"),
        coupon: coupon.then(|| "WELCOME10".to_owned()),
        card: Card {
            number: CARD_NUMBER.to_owned(),
            expiry: "12/49".to_owned(),
            cvc: "123".to_owned(),
        },
    }
}
