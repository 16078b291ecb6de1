use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use api::ChargeStatus;
use axum::{Json, Router, http::StatusCode as Answer, routing::post};
use reqwest::StatusCode;
use serde_json::json;
use tokio::sync::Notify;

use crate::support::{DECLINED_CARD, GOOD_CARD, Payment, charge_in, problem, request};

#[tokio::test]
async fn a_void_gives_the_money_back() {
    let payment = Payment::start().await;
    payment.charge("o-1", GOOD_CARD).await;
    let asked = request("o-1", GOOD_CARD);
    assert!(payment.is_charged_at_provider(&asked).await);

    for _ in 0..2 {
        let voided = charge_in(payment.void("o-1").await).await;
        assert_eq!(
            (voided.status, voided.amount_cents),
            (ChargeStatus::Voided, 32_900)
        );
        assert!(!payment.is_charged_at_provider(&asked).await);
    }
}

#[tokio::test]
async fn a_voided_order_is_never_charged_again() {
    let payment = Payment::start().await;
    payment.charge("o-1", GOOD_CARD).await;
    payment.void("o-1").await;
    let late = payment.charge("o-1", GOOD_CARD).await;
    assert_eq!(late.status(), StatusCode::CONFLICT);
    assert_eq!(problem(late).await.kind(), "charge-voided");
}

#[tokio::test]
async fn a_charge_that_comes_after_its_void_is_refused() {
    let payment = Payment::start().await;
    let voided = charge_in(payment.void("o-1").await).await;
    assert_eq!(
        (voided.status, voided.charge_id),
        (ChargeStatus::Voided, None)
    );
    let late = payment.charge("o-1", GOOD_CARD).await;
    assert_eq!(late.status(), StatusCode::CONFLICT);
    assert_eq!(problem(late).await.kind(), "charge-voided");
    let asked = request("o-1", GOOD_CARD);
    assert!(!payment.is_charged_at_provider(&asked).await);
}

#[tokio::test]
async fn a_declined_charge_can_be_voided_too() {
    let payment = Payment::start().await;
    payment.charge("o-1", DECLINED_CARD).await;
    let voided = charge_in(payment.void("o-1").await).await;
    assert_eq!(voided.status, ChargeStatus::Voided);
}

#[tokio::test]
async fn a_void_that_overtakes_its_charge_at_the_provider_wins() {
    let asked = Arc::new(Notify::new());
    let go_on = Arc::new(Notify::new());
    let refunds = Arc::new(AtomicUsize::new(0));
    let (charging, released, refunded) = (asked.clone(), go_on.clone(), refunds.clone());
    let provider = Router::new()
        .route(
            "/v1/charges",
            post(async move || {
                charging.notify_one();
                released.notified().await;
                (Answer::CREATED, Json(json!({ "id": "ch_late" })))
            }),
        )
        .route("/v1/cancellations", post(async || Answer::NO_CONTENT))
        .route(
            "/v1/charges/ch_late/refund",
            post(async move || {
                refunded.fetch_add(1, Ordering::SeqCst);
                Json(json!({}))
            }),
        );
    let payment = Arc::new(Payment::with_provider(provider, Duration::from_secs(60)).await);

    let charger = Arc::clone(&payment);
    let charge = tokio::spawn(async move { charger.charge("o-1", GOOD_CARD).await });
    asked.notified().await;
    let voided = charge_in(payment.void("o-1").await).await;
    assert_eq!(voided.status, ChargeStatus::Voided);
    go_on.notify_one();

    let late = charge.await.unwrap();
    assert_eq!(late.status(), StatusCode::CONFLICT);
    assert_eq!(problem(late).await.kind(), "charge-voided");
    assert_eq!(refunds.load(Ordering::SeqCst), 1, "the money went back");
}

#[tokio::test]
async fn a_void_that_the_provider_does_not_hear_of_fails_and_keeps_the_order_from_being_charged() {
    let payment = Payment::alone().await;
    let response = payment.void("o-1").await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    let late = payment.charge("o-1", GOOD_CARD).await;
    assert_eq!(problem(late).await.kind(), "charge-voided");
}
