//! The inventory service, as checkout calls it.

use api::{CartLine, Prices, Problem, Products, ReserveRequest, Stock};
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};
use serde::de::DeserializeOwned;

use crate::error::OrderError;

/// A client of the inventory service.
#[derive(Clone, Debug)]
pub(crate) struct Inventory {
    /// A client that carries the context.
    pub(crate) http: ClientWithMiddleware,
    /// Where it listens, without a slash at the end.
    pub(crate) url: String,
}

// === impl Inventory ===

impl Inventory {
    /// The first so many products of the catalogue, or all of it.
    pub(crate) async fn products(&self, limit: Option<u32>) -> Result<Products, OrderError> {
        let request = self.http.get(format!("{}/products", self.url));
        let limit: Vec<(&str, u32)> = limit.map(|limit| ("limit", limit)).into_iter().collect();
        read(request.query(&limit)).await
    }

    /// The prices of all these SKUs.
    pub(crate) async fn prices(&self, skus: &[&str]) -> Result<Prices, OrderError> {
        let request = self.http.get(format!("{}/prices", self.url));
        read(request.query(&[("sku", skus.join(","))])).await
    }

    /// How many of each there are.
    pub(crate) async fn stock(&self, skus: &[&str]) -> Result<Stock, OrderError> {
        let request = self.http.get(format!("{}/stock", self.url));
        read(request.query(&[("sku", skus.join(","))])).await
    }

    /// Sets the lines aside for an order: all, or none. Asking twice changes nothing.
    pub(crate) async fn reserve(
        &self,
        order_id: &str,
        lines: &[CartLine],
    ) -> Result<(), OrderError> {
        let request = self.http.post(format!("{}/reservations", self.url));
        let body = ReserveRequest {
            order_id: order_id.to_owned(),
            lines: lines.to_vec(),
        };
        send(request.json(&body)).await.map(drop)
    }

    /// Gives back what an order had set aside, if anything.
    pub(crate) async fn release(&self, order_id: &str) -> Result<(), OrderError> {
        send(
            self.http
                .delete(format!("{}/reservations/{order_id}", self.url)),
        )
        .await
        .map(drop)
    }
}

async fn read<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, OrderError> {
    send(request)
        .await?
        .json()
        .await
        .map_err(|error| unusable(&error))
}

async fn send(request: RequestBuilder) -> Result<reqwest::Response, OrderError> {
    let response = request.send().await.map_err(|error| unusable(&error))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    match response.json::<Problem>().await {
        Ok(problem) => Err(refused(problem)),
        Err(_) => Err(OrderError::Inventory {
            why: format!("it answered {status}"),
        }),
    }
}

/// What inventory's own problems mean for an order.
fn refused(problem: Problem) -> OrderError {
    let skus = || {
        let skus = problem
            .extensions
            .get("skus")
            .and_then(|skus| skus.as_array());
        let skus = skus.into_iter().flatten().filter_map(|sku| sku.as_str());
        skus.map(str::to_owned).collect()
    };
    match problem.kind() {
        "out-of-stock" => OrderError::OutOfStock { skus: skus() },
        "reservation-released" => OrderError::Released,
        "unknown-sku" => OrderError::UnknownSku { skus: skus() },
        _ => OrderError::Inventory {
            why: problem.to_string(),
        },
    }
}

fn unusable(error: &dyn std::error::Error) -> OrderError {
    OrderError::Inventory {
        why: error.to_string(),
    }
}
