use std::sync::Arc;

use api::{ChargeRequest, ChargeStatus};
use reqwest::StatusCode;
use tokio::task::JoinSet;

use crate::support::{DECLINED_CARD, GOOD_CARD, Payment, charge_in, problem, request};

#[tokio::test]
async fn an_order_is_charged_once_however_often_it_is_asked_for() {
    let payment = Payment::start().await;
    let first = payment.charge("o-1", GOOD_CARD).await;
    assert_eq!(first.status(), StatusCode::CREATED);
    let first = charge_in(first).await;
    assert_eq!(
        (first.status, first.amount_cents),
        (ChargeStatus::Charged, 32_900)
    );

    let again = payment.charge("o-1", GOOD_CARD).await;
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(charge_in(again).await, first);
    assert_eq!(charge_in(payment.find("o-1").await).await, first);
}

#[tokio::test]
async fn concurrent_requests_for_one_order_charge_once() {
    let payment = Arc::new(Payment::start().await);
    let mut requests = JoinSet::new();
    for _ in 0..10 {
        let payment = Arc::clone(&payment);
        requests.spawn(async move { charge_in(payment.charge("o-1", GOOD_CARD).await).await });
    }
    let mut charges = requests.join_all().await;
    charges.dedup();
    assert_eq!(charges.len(), 1, "{charges:?}");
}

#[tokio::test]
async fn a_declined_card_is_a_402_and_is_remembered() {
    let payment = Payment::start().await;
    for _ in 0..2 {
        let response = payment.charge("o-1", DECLINED_CARD).await;
        assert_eq!(response.status(), StatusCode::PAYMENT_REQUIRED);
        assert_eq!(problem(response).await.kind(), "card-declined");
    }
    let charge = charge_in(payment.find("o-1").await).await;
    assert_eq!(
        (charge.status, charge.charge_id),
        (ChargeStatus::Declined, None)
    );
}

#[tokio::test]
async fn a_card_that_cannot_be_good_is_a_402_that_names_the_field_and_asks_nobody() {
    let payment = Payment::alone().await;
    let with = |change: fn(&mut ChargeRequest)| {
        let mut request = request("o-1", GOOD_CARD);
        change(&mut request);
        request
    };
    for (request, field) in [
        (
            with(|r| r.card.number = "4242 4242 4242 4241".into()),
            "card.number",
        ),
        (with(|r| r.card.expiry = "01/20".into()), "card.expiry"),
        (with(|r| r.card.cvc = "1".into()), "card.cvc"),
    ] {
        let response = payment.ask(&request).await;
        assert_eq!(response.status(), StatusCode::PAYMENT_REQUIRED);
        let problem = problem(response).await;
        assert_eq!(problem.kind(), "card-invalid");
        assert_eq!(problem.extensions["field"], field);
        let told = problem.detail.unwrap();
        assert!(!told.contains("4242"), "{told}");
    }
    assert_eq!(payment.find("o-1").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_cannot_be_charged_is_a_422() {
    let payment = Payment::start().await;
    let mut nothing = request("o-1", GOOD_CARD);
    nothing.amount_cents = 0;
    let mut too_much = request("o-1", GOOD_CARD);
    too_much.amount_cents = 100_000_000;
    let mut nowhere = request("o-1", GOOD_CARD);
    nowhere.currency = "euro".into();
    for (request, kind, right) in [
        (nothing, "invalid-amount", "from 1 to 99999999"),
        (too_much, "invalid-amount", "from 1 to 99999999"),
        (nowhere, "invalid-currency", "three letters"),
    ] {
        let response = payment.ask(&request).await;
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let problem = problem(response).await;
        assert_eq!(problem.kind(), kind);
        assert!(problem.to_string().contains(right), "{problem}");
    }
    let mut most = request("o-1", GOOD_CARD);
    most.amount_cents = 99_999_999;
    assert_eq!(payment.ask(&most).await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn an_order_is_not_charged_two_amounts() {
    let payment = Payment::start().await;
    payment.charge("o-1", GOOD_CARD).await;
    let mut other = request("o-1", GOOD_CARD);
    other.amount_cents += 1;
    let response = payment.ask(&other).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(problem(response).await.kind(), "charge-differs");
}

#[tokio::test]
async fn an_order_that_nobody_charged_is_a_404() {
    let payment = Payment::start().await;
    let response = payment.find("o-1").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(problem(response).await.kind(), "unknown-charge");
}

#[tokio::test]
async fn a_reply_names_its_trace_and_a_problem_the_same() {
    let payment = Payment::start().await;
    let response = payment.find("o-1").await;
    let header = response.headers()["traceresponse"]
        .to_str()
        .unwrap()
        .to_owned();
    let problem = problem(response).await;
    let trace_id = problem.trace_id.expect("a problem has its trace id");
    assert!(header.contains(&trace_id), "{header} is not of {trace_id}");
}
