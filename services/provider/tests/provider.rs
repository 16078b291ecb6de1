//! The provider over real HTTP, on a real database file.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the bans are for what users run")]

#[path = "../../chassis/tests/support/fresh_database.rs"]
mod fresh_database;

use std::{net::SocketAddr, sync::Arc};

use api::Problem;
use chassis::Pace;
use fresh_database::fresh_database;
use provider::{Cancellation, Charge, ChargeRequest};
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use telemetry::Telemetry;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};

const GOOD_CARD: &str = "4242424242424242";
const DECLINED_CARD: &str = "4000000000000002";

/// A provider that runs until it is dropped.
struct Provider {
    address: SocketAddr,
    client: Client,
    _stop: DropGuard,
    _folder: TempDir,
}

impl Provider {
    async fn start() -> Provider {
        let folder = TempDir::new().unwrap();
        let args = fresh_database(&folder, "provider").await;
        let config = provider::Config {
            database: args.open(&provider::MIGRATIONS).await.unwrap().pool,
            pace: Pace::None,
            faults: chassis::FaultSwitch::Ignored,
            hosts: chassis::AllowedHosts::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(provider::run(
            listener,
            config,
            Telemetry::none(),
            stop.clone(),
        ));
        Provider {
            address,
            client: Client::new(),
            _stop: stop.drop_guard(),
            _folder: folder,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn charge(&self, key: &str, amount_cents: i64, card_number: &str) -> Response {
        let request = ChargeRequest {
            amount_cents,
            currency: "EUR".into(),
            card_number: card_number.into(),
        };
        self.client
            .post(self.url("/v1/charges"))
            .header("Idempotency-Key", key)
            .json(&request)
            .send()
            .await
            .unwrap()
    }

    async fn refund(&self, charge_id: &str) -> Response {
        let url = self.url(&format!("/v1/charges/{charge_id}/refund"));
        self.client.post(url).send().await.unwrap()
    }

    async fn cancel(&self, key: &str) {
        let cancellation = Cancellation {
            idempotency_key: key.into(),
        };
        let response = self
            .client
            .post(self.url("/v1/cancellations"))
            .json(&cancellation)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
    }
}

async fn refusal(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let problem: Problem = response.json().await.unwrap();
    (status, problem.kind().to_owned())
}

#[tokio::test]
async fn a_charge_is_made_once_for_each_key() {
    let provider = Provider::start().await;
    let first = provider.charge("o-1", 12_50, GOOD_CARD).await;
    assert_eq!(first.status(), StatusCode::CREATED);
    let first: Charge = first.json().await.unwrap();
    assert_eq!(
        (first.status.as_str(), first.amount_cents),
        ("succeeded", 12_50)
    );

    let again = provider.charge("o-1", 12_50, GOOD_CARD).await;
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(again.json::<Charge>().await.unwrap(), first);

    let other: Charge = provider
        .charge("o-2", 12_50, GOOD_CARD)
        .await
        .json()
        .await
        .unwrap();
    assert_ne!(other.id, first.id);
}

#[tokio::test]
async fn concurrent_requests_under_one_key_make_one_charge() {
    let provider = Arc::new(Provider::start().await);
    let mut requests = JoinSet::new();
    for _ in 0..10 {
        let provider = Arc::clone(&provider);
        requests.spawn(async move {
            let charge: Charge = provider
                .charge("o-1", 12_50, GOOD_CARD)
                .await
                .json()
                .await
                .unwrap();
            charge.id
        });
    }
    let mut ids = requests.join_all().await;
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[tokio::test]
async fn a_declined_card_is_a_402_and_stays_one() {
    let provider = Provider::start().await;
    for _ in 0..2 {
        let response = provider.charge("o-1", 12_50, DECLINED_CARD).await;
        let expected = (StatusCode::PAYMENT_REQUIRED, "card-declined".to_owned());
        assert_eq!(refusal(response).await, expected);
    }
}

#[tokio::test]
async fn a_key_that_was_used_for_another_amount_is_a_409() {
    let provider = Provider::start().await;
    provider.charge("o-1", 12_50, GOOD_CARD).await;
    let response = provider.charge("o-1", 99_00, GOOD_CARD).await;
    let expected = (StatusCode::CONFLICT, "idempotency-key-reused".to_owned());
    assert_eq!(refusal(response).await, expected);
}

#[tokio::test]
async fn a_refund_is_made_once_and_ends_the_key() {
    let provider = Provider::start().await;
    let charge: Charge = provider
        .charge("o-1", 12_50, GOOD_CARD)
        .await
        .json()
        .await
        .unwrap();
    for _ in 0..2 {
        let refunded: Charge = provider.refund(&charge.id).await.json().await.unwrap();
        assert_eq!(
            (refunded.id.as_str(), refunded.status.as_str()),
            (charge.id.as_str(), "refunded")
        );
    }
    let (status, kind) = refusal(provider.charge("o-1", 12_50, GOOD_CARD).await).await;
    assert_eq!(
        (status, kind.as_str()),
        (StatusCode::CONFLICT, "charge-cancelled")
    );
}

#[tokio::test]
async fn only_what_was_charged_can_be_refunded() {
    let provider = Provider::start().await;
    let (status, kind) = refusal(provider.refund("ch_none").await).await;
    assert_eq!(
        (status, kind.as_str()),
        (StatusCode::NOT_FOUND, "unknown-charge")
    );
}

#[tokio::test]
async fn a_cancelled_key_is_never_charged() {
    let provider = Provider::start().await;
    provider.cancel("o-1").await;
    let (status, kind) = refusal(provider.charge("o-1", 12_50, GOOD_CARD).await).await;
    assert_eq!(
        (status, kind.as_str()),
        (StatusCode::CONFLICT, "charge-cancelled")
    );
}

#[tokio::test]
async fn cancelling_a_key_gives_back_what_was_charged_under_it() {
    let provider = Provider::start().await;
    let charge: Charge = provider
        .charge("o-1", 12_50, GOOD_CARD)
        .await
        .json()
        .await
        .unwrap();
    provider.cancel("o-1").await;
    provider.cancel("o-1").await;
    let refunded: Charge = provider.refund(&charge.id).await.json().await.unwrap();
    assert_eq!(refunded.status, "refunded");
    let (_, kind) = refusal(provider.charge("o-1", 12_50, GOOD_CARD).await).await;
    assert_eq!(kind, "charge-cancelled");
}

#[tokio::test]
async fn a_charge_without_a_key_is_a_400() {
    let provider = Provider::start().await;
    let response = provider.charge("", 12_50, GOOD_CARD).await;
    let expected = (StatusCode::BAD_REQUEST, "no-idempotency-key".to_owned());
    assert_eq!(refusal(response).await, expected);
}

#[tokio::test]
async fn it_takes_no_part_in_the_tracing_and_is_healthy() {
    let provider = Provider::start().await;
    let charged = provider.charge("o-1", 12_50, GOOD_CARD).await;
    assert!(!charged.headers().contains_key("traceresponse"));
    let health: Value = provider
        .client
        .get(provider.url("/healthz"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(health["status"], "ok");
}
