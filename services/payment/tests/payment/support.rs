//! Starts a separate payment service for each test, and a provider for it.

use std::{net::SocketAddr, time::Duration};

use api::{Card, Charge, ChargeRequest, Problem};
use axum::Router;
use chassis::Pace;
use reqwest::{Client, Response, StatusCode};
use telemetry::Telemetry;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{fresh_database::fresh_database, silent_telemetry::silent_telemetry};

pub(crate) const GOOD_CARD: &str = "4242 4242 4242 4242";
pub(crate) const DECLINED_CARD: &str = "4000 0000 0000 0002";

/// Longer than any test may take.
const PATIENT: Duration = Duration::from_secs(60);

/// A payment service that runs until it is dropped.
pub(crate) struct Payment {
    address: SocketAddr,
    provider: String,
    client: Client,
    _stop: DropGuard,
    _folder: TempDir,
    /// The port of a provider that is not there.
    _closed: Option<TcpSocket>,
}

impl Payment {
    /// Starts it with a healthy provider.
    pub(crate) async fn start() -> Payment {
        let folder = TempDir::new().unwrap();
        let stop = CancellationToken::new();
        let config = provider::Config {
            database: fresh_database(&folder, "provider")
                .await
                .open(&provider::MIGRATIONS)
                .await
                .unwrap()
                .pool,
            pace: Pace::None,
            faults: chassis::FaultSwitch::Ignored,
            hosts: chassis::AllowedHosts::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = listener.local_addr().unwrap();
        tokio::spawn(provider::run(
            listener,
            config,
            Telemetry::none(),
            stop.clone(),
        ));
        Payment::with(folder, format!("http://{provider}"), PATIENT, stop).await
    }

    /// Starts it with a stand-in for the provider, which the test defines.
    pub(crate) async fn with_provider(provider: Router, deadline: Duration) -> Payment {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = axum::serve(listener, provider);
        tokio::spawn(stop.clone().run_until_cancelled_owned(served.into_future()));
        let folder = TempDir::new().unwrap();
        Payment::with(folder, format!("http://{address}"), deadline, stop).await
    }

    /// Starts it without a provider.
    pub(crate) async fn alone() -> Payment {
        // It does not listen, and nothing else is given its port while it is kept.
        let closed = TcpSocket::new_v4().unwrap();
        closed.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let nobody = closed.local_addr().unwrap();
        let folder = TempDir::new().unwrap();
        let stop = CancellationToken::new();
        let payment = Payment::with(folder, format!("http://{nobody}"), PATIENT, stop).await;
        Payment {
            _closed: Some(closed),
            ..payment
        }
    }

    async fn with(
        folder: TempDir,
        provider: String,
        provider_deadline: Duration,
        stop: CancellationToken,
    ) -> Payment {
        let config = payment::Config {
            database: fresh_database(&folder, "payment")
                .await
                .open(&payment::MIGRATIONS)
                .await
                .unwrap(),
            provider_url: provider.clone(),
            provider_deadline,
            pace: Pace::None,
            faults: chassis::FaultSwitch::Ignored,
            hosts: chassis::AllowedHosts::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(payment::run(
            listener,
            config,
            silent_telemetry(),
            stop.clone(),
        ));
        Payment {
            address,
            provider,
            client: Client::new(),
            _stop: stop.drop_guard(),
            _folder: folder,
            _closed: None,
        }
    }

    pub(crate) async fn charge(&self, order_id: &str, card_number: &str) -> Response {
        self.ask(&request(order_id, card_number)).await
    }

    pub(crate) async fn ask(&self, request: &ChargeRequest) -> Response {
        let url = format!("http://{}/charges", self.address);
        self.client.post(url).json(request).send().await.unwrap()
    }

    pub(crate) async fn find(&self, order_id: &str) -> Response {
        let url = format!("http://{}/charges/{order_id}", self.address);
        self.client.get(url).send().await.unwrap()
    }

    pub(crate) async fn void(&self, order_id: &str) -> Response {
        let url = format!("http://{}/charges/{order_id}/void", self.address);
        self.client.post(url).send().await.unwrap()
    }

    /// Whether the provider has charged for an order and has not refunded it: a second request with the same
    /// key shows it.
    pub(crate) async fn is_charged_at_provider(&self, request: &ChargeRequest) -> bool {
        let body = provider::ChargeRequest {
            amount_cents: request.amount_cents,
            currency: request.currency.clone(),
            card_number: request.card.number.clone(),
        };
        let again = self
            .client
            .post(format!("{}/v1/charges", self.provider))
            .header("Idempotency-Key", &request.order_id)
            .json(&body)
            .send()
            .await
            .unwrap();
        match again.status() {
            StatusCode::OK => true,
            StatusCode::CONFLICT => false,
            status => panic!(
                "the provider has never heard of {}: {status}",
                request.order_id
            ),
        }
    }
}

pub(crate) fn request(order_id: &str, card_number: &str) -> ChargeRequest {
    ChargeRequest {
        order_id: order_id.into(),
        amount_cents: 32_900,
        currency: "EUR".into(),
        card: Card {
            number: card_number.into(),
            expiry: "12/39".into(),
            cvc: "123".into(),
        },
    }
}

/// Checks that a reply is a charge, and returns it.
pub(crate) async fn charge_in(response: Response) -> Charge {
    let status = response.status();
    let text = response.text().await.unwrap();
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap()
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
