//! Charges a card, and refunds the money.

use std::time::Duration;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use chassis::{
    fault_switch::FAULT_HEADER,
    http::{Json, Path},
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Provider,
    error::Error,
    ledger::{Entry, Status},
};

/// How long the card network takes at the textbook pace.
const CARD_NETWORK_TIME: Duration = Duration::from_millis(57);

/// The card that its bank declines, as in the sandbox of any provider.
const DECLINED_CARD: &str = "4000000000000002";

/// The body of `POST /v1/charges`. The header `Idempotency-Key` goes with it.
#[derive(Clone, Serialize, Deserialize)]
pub struct ChargeRequest {
    /// The amount, in cents.
    pub amount_cents: i64,
    /// The currency as ISO 4217 writes it.
    pub currency: String,
    /// The digits of the card.
    pub card_number: String,
}

/// A charge: the reply of `POST /v1/charges` and `POST /v1/charges/{id}/refund`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The provider's id of the charge.
    pub id: String,
    /// The state of the charge: `succeeded` or `refunded`.
    pub status: String,
    /// The amount, in cents.
    pub amount_cents: i64,
    /// The currency as ISO 4217 writes it.
    pub currency: String,
}

/// The body of `POST /v1/cancellations`, for a caller that lost the reply to a charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancellation {
    /// The key of the charge that must not be made, or must be refunded.
    pub idempotency_key: String,
}

/// `POST /v1/charges`: 201 with a new charge, 200 with the existing charge of the key, 402 if the bank
/// declines, 409 if the key was cancelled.
pub(crate) async fn charge(
    State(provider): State<Provider>,
    headers: HeaderMap,
    Json(request): Json<ChargeRequest>,
) -> Result<Response, Error> {
    let start = Instant::now();
    let wrong = provider.trouble.with(&headers)?;
    let outcome = match wrong.status {
        Some(status) => Err(Error::OutOfOrder(status)),
        None => enter_charge(&provider, &headers, request).await,
    };
    match wrong.latency {
        Some(latency) => tokio::time::sleep_until(start + latency).await,
        None => provider.pace.until(start, CARD_NETWORK_TIME).await,
    }
    let mut response = outcome.into_response();
    if let Ok(told) = HeaderValue::try_from(wrong.told)
        && !told.is_empty()
    {
        response.headers_mut().insert(FAULT_HEADER, told);
    }
    Ok(response)
}

async fn enter_charge(
    provider: &Provider,
    headers: &HeaderMap,
    request: ChargeRequest,
) -> Result<(StatusCode, Json<Charge>), Error> {
    let asked = Entry {
        idempotency_key: idempotency_key(headers)?.to_owned(),
        charge_id: format!("ch_{}", Uuid::new_v4().simple()),
        amount_cents: request.amount_cents,
        currency: request.currency,
        status: ask_bank(&request.card_number),
    };
    let (entry, is_new) = provider.ledger.enter(asked.clone()).await?;
    let same_amount = entry.amount_cents == asked.amount_cents && entry.currency == asked.currency;
    match entry.status {
        // The entry of a cancellation has no amount to compare: its state refuses the request.
        Status::Refunded | Status::Cancelled => Err(Error::Cancelled),
        _ if !same_amount => Err(Error::OtherAmount),
        Status::Succeeded if is_new => Ok((StatusCode::CREATED, Json(entry.into()))),
        Status::Succeeded => Ok((StatusCode::OK, Json(entry.into()))),
        Status::Declined => Err(Error::Declined),
    }
}

/// `POST /v1/charges/{charge_id}/refund`: refunds the money, once.
pub(crate) async fn refund(
    State(provider): State<Provider>,
    Path(charge_id): Path<String>,
) -> Result<Json<Charge>, Error> {
    let entry = provider.ledger.refund(&charge_id).await?;
    entry.map(|entry| Json(entry.into())).ok_or(Error::Unknown)
}

/// `POST /v1/cancellations`: 204. A charge under the key is refunded, and nothing can be charged under it
/// any more.
pub(crate) async fn cancel(
    State(provider): State<Provider>,
    Json(cancellation): Json<Cancellation>,
) -> Result<StatusCode, Error> {
    provider
        .ledger
        .cancel(&cancellation.idempotency_key)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn idempotency_key(headers: &HeaderMap) -> Result<&str, Error> {
    headers
        .get("idempotency-key")
        .and_then(|key| key.to_str().ok())
        .filter(|key| !key.is_empty())
        .ok_or(Error::NoKey)
}

fn ask_bank(card_number: &str) -> Status {
    if card_number == DECLINED_CARD {
        Status::Declined
    } else {
        Status::Succeeded
    }
}

// === impl Charge ===

impl From<Entry> for Charge {
    fn from(entry: Entry) -> Charge {
        Charge {
            id: entry.charge_id,
            status: entry.status.as_str().to_owned(),
            amount_cents: entry.amount_cents,
            currency: entry.currency,
        }
    }
}
