//! The client of the payment provider: a third party with its own API.

use std::time::Duration;

use api::{ChargeRequest, Problem};
use chassis::FaultSwitch;
use reqwest::{Response, StatusCode};
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};
use serde::{Deserialize, Serialize};
use telemetry::http_client::ResendCount;

use crate::faulty;

/// A client of the provider.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    http: ClientWithMiddleware,
    url: String,
    deadline: Duration,
    faults: FaultSwitch,
}

/// Why a call to the provider failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    #[error("the bank that issued the card declined the charge")]
    Declined,
    #[error("the provider was told before that this order is not to be charged")]
    Cancelled,
    #[error("the provider did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("the provider cannot be reached")]
    Unreachable(#[source] reqwest_middleware::Error),
    #[error("the provider answered {0}")]
    Failed(StatusCode),
}

#[derive(Serialize)]
struct ChargeBody<'a> {
    amount_cents: i64,
    currency: &'a str,
    card_number: &'a str,
}

#[derive(Serialize)]
struct CancellationBody<'a> {
    idempotency_key: &'a str,
}

#[derive(Deserialize)]
struct ChargeReply {
    id: String,
}

// === impl Provider ===

impl Provider {
    pub(crate) fn new(url: String, deadline: Duration, faults: FaultSwitch) -> Provider {
        Provider {
            http: faults.listening(telemetry::http_client::client()),
            url,
            deadline,
            faults,
        }
    }

    /// Charges a card, and returns the provider's id of the charge. The order id is the idempotency key:
    /// however often this is called, the card is charged once.
    pub(crate) async fn charge(
        &self,
        request: &ChargeRequest,
        card_number: &str,
    ) -> Result<String, ProviderError> {
        let body = ChargeBody {
            amount_cents: request.amount_cents,
            currency: &request.currency,
            card_number,
        };
        let deadline = faulty::deadline(self.faults).unwrap_or(self.deadline);
        let retries = faulty::retries(self.faults);
        let mut resent = 0;
        loop {
            let mut ask = self
                .http
                .post(format!("{}/v1/charges", self.url))
                .header("Idempotency-Key", &request.order_id)
                .json(&body);
            if resent > 0 {
                ask = ask.with_extension(ResendCount(resent));
            }
            match self.send(ask, deadline).await {
                Err(ProviderError::Failed(StatusCode::SERVICE_UNAVAILABLE)) if resent < retries => {
                    resent += 1;
                }
                Err(error) => return Err(error),
                Ok(reply) => {
                    let charge: ChargeReply = reply
                        .json()
                        .await
                        .map_err(|error| failure(error, deadline))?;
                    return Ok(charge.id);
                }
            }
        }
    }

    /// Refunds a charge. A second call refunds nothing.
    pub(crate) async fn refund(&self, charge_id: &str) -> Result<(), ProviderError> {
        let url = format!("{}/v1/charges/{charge_id}/refund", self.url);
        self.send(self.http.post(url), self.deadline)
            .await
            .map(drop)
    }

    /// Refunds any charge of an order, and prevents later charges for it.
    pub(crate) async fn cancel(&self, order_id: &str) -> Result<(), ProviderError> {
        let body = CancellationBody {
            idempotency_key: order_id,
        };
        let url = format!("{}/v1/cancellations", self.url);
        self.send(self.http.post(url).json(&body), self.deadline)
            .await
            .map(drop)
    }

    async fn send(
        &self,
        request: RequestBuilder,
        deadline: Duration,
    ) -> Result<Response, ProviderError> {
        let response = request
            .timeout(deadline)
            .send()
            .await
            .map_err(|error| failure(error, deadline))?;
        match response.status() {
            status if status.is_success() => Ok(response),
            StatusCode::PAYMENT_REQUIRED => Err(ProviderError::Declined),
            StatusCode::CONFLICT if is_cancelled(response).await => Err(ProviderError::Cancelled),
            status => Err(ProviderError::Failed(status)),
        }
    }
}

fn failure(error: impl Into<reqwest_middleware::Error>, deadline: Duration) -> ProviderError {
    let error = error.into();
    if error.is_timeout() {
        ProviderError::TimedOut(deadline)
    } else {
        ProviderError::Unreachable(error)
    }
}

async fn is_cancelled(response: Response) -> bool {
    let problem = response.json::<Problem>().await;
    problem.is_ok_and(|problem| problem.kind() == "charge-cancelled")
}
