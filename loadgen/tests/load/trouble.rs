//! What the ledger says of a shop that refuses or hangs up.

use loadgen::{Error, Step};
use tokio_util::sync::CancellationToken;

use crate::shop::{Mood, Shop, closed, drive, kept, lines_of, plan};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_reply_has_a_line_without_a_trace() {
    let shop = Shop::open(Mood::HangsUp(Step::Checkout)).await;
    let outcome = drive(plan(&shop, closed(2, 5))).await;
    let checkouts = lines_of(&outcome, Step::Checkout);
    assert_eq!(checkouts.len(), 5);
    for line in checkouts {
        assert_eq!((line.status, line.trace_id), (None, None), "{line:?}");
        assert!(line.reply.is_some(), "why there is no reply: {line:?}");
        assert!(line.started.is_some() && line.ended.is_some());
    }
    assert_eq!(outcome.progress.unanswered, 5);
    assert_eq!(outcome.checkout, None, "no checkout was answered");
    let arrived: Vec<_> = shop
        .seen()
        .into_iter()
        .map(|seen| seen.request_id)
        .collect();
    for line in lines_of(&outcome, Step::Checkout) {
        // By this id its trace can be found all the same.
        assert!(arrived.contains(&line.request_id.to_string()));
    }
    assert_eq!(arrived.len(), 11, "nothing was sent twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_without_a_cart_is_never_started() {
    let shop = Shop::open(Mood::HangsUp(Step::Cart)).await;
    let outcome = drive(plan(&shop, closed(2, 3))).await;
    for line in lines_of(&outcome, Step::Checkout) {
        assert_eq!(line.started, None);
        assert_eq!(
            line.reply.as_deref(),
            Some("never started: the cart could not be filled")
        );
    }
    assert_eq!(outcome.progress.never_started, 3);
    assert_eq!(outcome.progress.unanswered, 3);
    assert_eq!(outcome.progress.sent(), 4, "a catalogue and three carts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_written_down_with_its_trace() {
    let shop = Shop::open(Mood::OutOfStock).await;
    let outcome = drive(plan(&shop, closed(2, 3))).await;
    for line in lines_of(&outcome, Step::Checkout) {
        assert_eq!(line.status, Some(409));
        assert!(line.trace_id.is_some());
        assert!(line.order_id.as_ref().unwrap().starts_with("order-"));
        assert_eq!(
            line.reply.as_deref(),
            Some("Not enough in stock (out-of-stock): Of SKU-1 there are 0.")
        );
    }
    assert_eq!(outcome.progress.refused, 3);
    assert_eq!(outcome.progress.orders, 0);
    assert_eq!(outcome.checkout.unwrap().count, 3, "a refusal is an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_breaks_off_is_no_success() {
    let shop = Shop::open(Mood::BreaksOff).await;
    let outcome = drive(plan(&shop, closed(1, 2))).await;
    for line in lines_of(&outcome, Step::Checkout) {
        assert_eq!(line.status, Some(201));
        assert!(line.trace_id.is_some(), "the head of the reply had it");
        assert!(!line.succeeded());
        let reply = line.reply.as_deref().unwrap();
        assert!(reply.starts_with("the reply broke off"), "{reply}");
    }
    assert_eq!(outcome.progress.unanswered, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_without_a_catalogue_is_an_error_that_names_it() {
    let shop = Shop::open(Mood::HangsUp(Step::Catalogue)).await;
    loadgen::reserve_ctrl_c().unwrap();
    let plan = plan(&shop, closed(1, 1));
    let error = loadgen::drive(plan, kept(), |_, _| (), CancellationToken::new())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Catalogue { .. }), "{error:?}");
    assert!(error.to_string().contains(shop.url.as_str()), "{error}");
}
