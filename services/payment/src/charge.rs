//! Makes a charge: validates the card, then asks the provider to charge it, once for each order.

use std::time::Duration;

use api::{Card, Charge, ChargeRequest, ChargeStatus};
use axum::{extract::State, http::StatusCode};
use chassis::http::{Json, Path};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use telemetry::{Failed, step};
use tracing::info_span;

use crate::{
    Payment,
    card::{self, CardError},
    error::Error,
    faulty,
    provider::ProviderError,
};

/// How long the validation of a card takes at the textbook pace.
const VALIDATION_TIME: Duration = Duration::from_millis(30);

/// The largest amount of one charge, in cents: eight digits, as with most providers of card payments.
pub(crate) const MAX_CENTS: i64 = 99_999_999;

/// `POST /charges`: 201 if the card is now charged, 200 if it was already.
pub(crate) async fn charge(
    State(payment): State<Payment>,
    Json(request): Json<ChargeRequest>,
) -> Result<(StatusCode, Json<Charge>), Error> {
    check_amount(&request)?;
    let card_number = validate_card(&payment, &request.card).await?;
    let card_number = faulty::card_to_charge(payment.faults, card_number);
    faulty::panic_if_asked(payment.faults);
    Ok(process_charge(&payment, &request, &card_number).await?)
}

/// `GET /charges/{order_id}`: the state of an order's charge.
pub(crate) async fn find(
    State(payment): State<Payment>,
    Path(order_id): Path<String>,
) -> Result<Json<Charge>, Error> {
    let found = payment.ledger.find(&order_id).await;
    let charge = found.inspect_err(telemetry::exception::record)?;
    charge.map(Json).ok_or(Error::UnknownOrder(order_id))
}

fn check_amount(request: &ChargeRequest) -> Result<(), Error> {
    if !(1..=MAX_CENTS).contains(&request.amount_cents) {
        return Err(Error::Amount(request.amount_cents));
    }
    let currency = request.currency.as_bytes();
    if currency.len() != 3 || !currency.iter().all(u8::is_ascii_uppercase) {
        return Err(Error::Currency(request.currency.clone()));
    }
    Ok(())
}

async fn validate_card(payment: &Payment, card: &Card) -> Result<String, Failed<CardError>> {
    step(info_span!("validate card"), async {
        payment.pace.step(VALIDATION_TIME).await;
        faulty::compute(payment.faults).await;
        faulty::leak(payment.faults, &card.number);
        Ok(card::validate(card, today())?)
    })
    .await
}

async fn process_charge(
    payment: &Payment,
    request: &ChargeRequest,
    card_number: &str,
) -> Result<(StatusCode, Json<Charge>), Failed<Error>> {
    let span = info_span!(
        "process charge",
        order.id = request.order_id,
        charge.amount_cents = request.amount_cents,
        charge.currency = request.currency,
    );
    step(span, async {
        let (status, charge) = charge_once(payment, request, card_number).await?;
        Ok((status, Json(charge)))
    })
    .await
}

/// Stores the charge as pending, calls the provider, and stores the result. If the request is stopped in
/// between, the charge stays pending, and a new request may repeat it: the provider charges once for each
/// order.
async fn charge_once(
    payment: &Payment,
    request: &ChargeRequest,
    card_number: &str,
) -> Result<(StatusCode, Charge), Error> {
    let order_id = &request.order_id;
    if let Some(earlier) = payment.ledger.open(request).await? {
        if earlier.status == ChargeStatus::Voided {
            return Err(Error::Voided(order_id.clone()));
        }
        if earlier.amount_cents != request.amount_cents {
            return Err(Error::OtherAmount(order_id.clone()));
        }
        match earlier.status {
            ChargeStatus::Charged => return Ok((StatusCode::OK, earlier)),
            ChargeStatus::Declined => return Err(Error::Declined),
            ChargeStatus::Pending | ChargeStatus::Voided => {}
        }
    }
    match payment.provider.charge(request, card_number).await {
        Ok(charge_id) => settle(payment, request, charge_id).await,
        Err(ProviderError::Declined) => {
            payment.ledger.decline(order_id).await?;
            Err(Error::Declined)
        }
        Err(ProviderError::Cancelled) => Err(Error::Voided(order_id.clone())),
        Err(error) => Err(error.into()),
    }
}

async fn settle(
    payment: &Payment,
    request: &ChargeRequest,
    charge_id: String,
) -> Result<(StatusCode, Charge), Error> {
    if !payment.ledger.settle(&request.order_id, &charge_id).await? {
        // The order was voided while the provider charged: the money is refunded.
        payment.provider.refund(&charge_id).await?;
        return Err(Error::Voided(request.order_id.clone()));
    }
    let charge = Charge {
        order_id: request.order_id.clone(),
        charge_id: Some(charge_id),
        status: ChargeStatus::Charged,
        amount_cents: request.amount_cents,
    };
    Ok((StatusCode::CREATED, charge))
}

/// The current day in UTC, for the check of a card's expiry.
fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}
