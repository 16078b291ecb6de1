//! The client of the inventory service.

use api::{CartLine, Prices, Problem, Products, ReserveRequest, Stock};
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};
use serde::de::DeserializeOwned;

use crate::error::OrderError;

/// A client of the inventory service.
#[derive(Clone, Debug)]
pub(crate) struct Inventory {
    /// An HTTP client that carries the context.
    pub(crate) http: ClientWithMiddleware,
    /// The URL of inventory, without a slash at the end.
    pub(crate) url: String,
}

// === impl Inventory ===

impl Inventory {
    /// The first `limit` products of the catalogue; all of them without a limit.
    pub(crate) async fn products(&self, limit: Option<u32>) -> Result<Products, OrderError> {
        let request = self.http.get(format!("{}/products", self.url));
        let limit: Vec<(&str, u32)> = limit.map(|limit| ("limit", limit)).into_iter().collect();
        read(request.query(&limit)).await
    }

    /// The prices of these SKUs.
    pub(crate) async fn prices(&self, skus: &[&str]) -> Result<Prices, OrderError> {
        let request = self.http.get(format!("{}/prices", self.url));
        read(request.query(&[("sku", skus.join(","))])).await
    }

    /// The stock of these SKUs.
    pub(crate) async fn stock(&self, skus: &[&str]) -> Result<Stock, OrderError> {
        let request = self.http.get(format!("{}/stock", self.url));
        read(request.query(&[("sku", skus.join(","))])).await
    }

    /// Reserves the lines of an order: all of them, or none. A second call changes nothing.
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

    /// Releases the reservation of an order, if there is one.
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

/// Converts the problems of inventory into errors of an order.
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
