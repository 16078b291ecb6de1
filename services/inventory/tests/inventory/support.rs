//! Starts a separate inventory service for each test.

use std::net::SocketAddr;

use api::{CartLine, Problem, ReserveRequest};
use chassis::Pace;
use reqwest::{Client, Response};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{fresh_database::fresh_database, silent_telemetry::silent_telemetry};

/// An inventory service that runs until it is dropped.
pub(crate) struct Inventory {
    address: SocketAddr,
    client: Client,
    _stop: DropGuard,
    _folder: TempDir,
}

impl Inventory {
    pub(crate) async fn start() -> Inventory {
        let folder = TempDir::new().unwrap();
        let args = fresh_database(&folder, "inventory").await;
        let config = inventory::Config {
            database: args.open(&inventory::MIGRATIONS).await.unwrap(),
            pace: Pace::None,
            faults: chassis::FaultSwitch::Ignored,
            hosts: chassis::AllowedHosts::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(inventory::run(
            listener,
            config,
            silent_telemetry(),
            stop.clone(),
        ));
        Inventory {
            address,
            client: Client::new(),
            _stop: stop.drop_guard(),
            _folder: folder,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        let url = format!("http://{}{path}", self.address);
        self.client.get(url).send().await.unwrap()
    }

    pub(crate) async fn reserve(&self, order_id: &str, lines: &[(&str, u32)]) -> Response {
        let request = ReserveRequest {
            order_id: order_id.into(),
            lines: lines
                .iter()
                .map(|(sku, quantity)| CartLine {
                    sku: (*sku).into(),
                    quantity: *quantity,
                })
                .collect(),
        };
        let url = format!("http://{}/reservations", self.address);
        self.client.post(url).json(&request).send().await.unwrap()
    }

    pub(crate) async fn release(&self, order_id: &str) -> Response {
        let url = format!("http://{}/reservations/{order_id}", self.address);
        self.client.delete(url).send().await.unwrap()
    }

    pub(crate) async fn available(&self, sku: &str) -> i64 {
        let stock: api::Stock = self
            .get(&format!("/stock?sku={sku}"))
            .await
            .json()
            .await
            .unwrap();
        stock.stock[0].available
    }
}

/// Checks that a reply is a problem, and returns it.
pub(crate) async fn problem(response: Response) -> Problem {
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    let status = response.status();
    let problem: Problem = response.json().await.unwrap();
    assert_eq!(problem.status, status);
    problem
}
