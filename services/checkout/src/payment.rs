//! The client of the payment service.

use std::time::Duration;

use api::{Card, Charge, ChargeRequest, Problem};
use reqwest::StatusCode;
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};

use crate::error::OrderError;

/// The currency of the shop.
const CURRENCY: &str = "EUR";

/// A client of the payment service.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    /// An HTTP client that carries the context.
    pub(crate) http: ClientWithMiddleware,
    /// The URL of payment, without a slash at the end.
    pub(crate) url: String,
}

// === impl Payment ===

impl Payment {
    /// Charges the card for an order. A second call charges nothing. `patience` limits the time of the call;
    /// without it the limit of the client applies.
    pub(crate) async fn charge(
        &self,
        order_id: &str,
        amount_cents: i64,
        card: Card,
        patience: Option<Duration>,
    ) -> Result<(), OrderError> {
        let body = ChargeRequest {
            order_id: order_id.to_owned(),
            amount_cents,
            currency: CURRENCY.to_owned(),
            card,
        };
        let mut request = self.http.post(format!("{}/charges", self.url)).json(&body);
        if let Some(patience) = patience {
            request = request.timeout(patience);
        }
        send(request).await.map(drop)
    }

    /// The charge of an order; `None` if there never was one.
    pub(crate) async fn find(&self, order_id: &str) -> Result<Option<Charge>, OrderError> {
        let request = self.http.get(format!("{}/charges/{order_id}", self.url));
        let response = request.send().await.map_err(|error| unusable(&error))?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => response
                .json()
                .await
                .map(Some)
                .map_err(|error| unusable(&error)),
            status => Err(OrderError::Payment {
                why: format!("it answered {status}"),
            }),
        }
    }

    /// Voids the charge of an order, including a charge that is still being made.
    pub(crate) async fn void(&self, order_id: &str) -> Result<(), OrderError> {
        send(
            self.http
                .post(format!("{}/charges/{order_id}/void", self.url)),
        )
        .await
        .map(drop)
    }
}

async fn send(request: RequestBuilder) -> Result<reqwest::Response, OrderError> {
    let response = request.send().await.map_err(|error| unusable(&error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let problem = response.json::<Problem>().await;
    match (status, problem) {
        (StatusCode::PAYMENT_REQUIRED, Ok(problem)) => Err(OrderError::CardRefused {
            why: problem
                .detail
                .clone()
                .unwrap_or_else(|| problem.title.clone()),
            kind: if problem.kind() == "card-invalid" {
                "card-invalid"
            } else {
                "card-declined"
            },
        }),
        (StatusCode::UNPROCESSABLE_ENTITY, Ok(problem)) if problem.kind() == "invalid-amount" => {
            Err(OrderError::Amount {
                why: problem
                    .detail
                    .clone()
                    .unwrap_or_else(|| problem.title.clone()),
            })
        }
        (_, Ok(problem)) => Err(OrderError::Payment {
            why: problem.to_string(),
        }),
        (_, Err(_)) => Err(OrderError::Payment {
            why: format!("it answered {status}"),
        }),
    }
}

fn unusable(error: &dyn std::error::Error) -> OrderError {
    OrderError::Payment {
        why: error.to_string(),
    }
}
