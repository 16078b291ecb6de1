use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use api::ChargeStatus;
use axum::{
    Json, Router,
    http::StatusCode as Answer,
    response::{IntoResponse, Response as Reply},
    routing::post,
};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{GOOD_CARD, Payment, charge_in, problem};

fn charges(answer: Answer) -> Router {
    Router::new().route("/v1/charges", post(async move || answer))
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_a_502() {
    let payment = Payment::alone().await;
    let response = payment.charge("o-1", GOOD_CARD).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(problem(response).await.kind(), "provider-unreachable");
}

#[tokio::test]
async fn a_provider_that_fails_is_a_502_that_says_how() {
    for answer in [Answer::SERVICE_UNAVAILABLE, Answer::BAD_REQUEST] {
        let payment = Payment::with_provider(charges(answer), Duration::from_secs(60)).await;
        let response = payment.charge("o-1", GOOD_CARD).await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        let problem = problem(response).await;
        assert_eq!(problem.kind(), "provider-failed");
        let detail = problem.detail.unwrap();
        assert!(detail.contains(answer.as_str()), "{detail}");
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_a_504() {
    let silent = Router::new().route("/v1/charges", post(async || pending::<()>().await));
    let payment = Payment::with_provider(silent, Duration::from_millis(50)).await;
    let response = payment.charge("o-1", GOOD_CARD).await;
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(problem(response).await.kind(), "provider-timeout");
    let charge = charge_in(payment.find("o-1").await).await;
    assert_eq!(
        charge.status,
        ChargeStatus::Pending,
        "nobody knows whether it was charged"
    );
}

#[tokio::test]
async fn what_was_left_pending_is_charged_when_it_is_asked_for_again() {
    let well = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&well);
    let provider = Router::new().route(
        "/v1/charges",
        post(async move || -> Reply {
            if is_well.load(Ordering::SeqCst) {
                Json(json!({ "id": "ch_1" })).into_response()
            } else {
                Answer::SERVICE_UNAVAILABLE.into_response()
            }
        }),
    );
    let payment = Payment::with_provider(provider, Duration::from_secs(60)).await;
    let failed = payment.charge("o-1", GOOD_CARD).await;
    assert_eq!(failed.status(), StatusCode::BAD_GATEWAY);

    well.store(true, Ordering::SeqCst);
    let charge = charge_in(payment.charge("o-1", GOOD_CARD).await).await;
    assert_eq!(charge.status, ChargeStatus::Charged);
    assert_eq!(charge.charge_id.as_deref(), Some("ch_1"));
}
