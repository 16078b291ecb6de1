use std::sync::Arc;

use api::{CartLine, Reservation};
use reqwest::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Inventory, problem};

#[tokio::test]
async fn a_reservation_takes_its_lines_from_the_stock() {
    let inventory = Inventory::start().await;
    let response = inventory
        .reserve(
            "o-1",
            &[("TENT-2P-GRN", 2), ("MUG-BLU", 4), ("TENT-2P-GRN", 1)],
        )
        .await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let reservation: Reservation = response.json().await.unwrap();
    let line = |sku: &str, quantity| CartLine {
        sku: sku.into(),
        quantity,
    };
    assert_eq!(
        reservation.lines,
        [line("MUG-BLU", 4), line("TENT-2P-GRN", 3)],
        "lines of the same product are added up"
    );
    assert_eq!(inventory.available("TENT-2P-GRN").await, 999_997);
    assert_eq!(inventory.available("MUG-BLU").await, 999_996);
}

#[tokio::test]
async fn asking_again_for_the_same_order_takes_nothing_more() {
    let inventory = Inventory::start().await;
    let first = inventory.reserve("o-1", &[("MUG-BLU", 4)]).await;
    let again = inventory.reserve("o-1", &[("MUG-BLU", 4)]).await;
    assert_eq!(first.status(), StatusCode::CREATED);
    assert_eq!(again.status(), StatusCode::OK);
    let first: Reservation = first.json().await.unwrap();
    assert_eq!(again.json::<Reservation>().await.unwrap(), first);
    assert_eq!(inventory.available("MUG-BLU").await, 999_996);
}

#[tokio::test]
async fn asking_again_for_something_else_is_a_409() {
    let inventory = Inventory::start().await;
    inventory.reserve("o-1", &[("MUG-BLU", 4)]).await;
    let other = inventory.reserve("o-1", &[("MUG-BLU", 5)]).await;
    assert_eq!(other.status(), StatusCode::CONFLICT);
    assert_eq!(problem(other).await.kind(), "reservation-differs");
    assert_eq!(inventory.available("MUG-BLU").await, 999_996);
}

#[tokio::test]
async fn what_is_out_of_stock_is_a_409_that_names_it_and_takes_nothing() {
    let inventory = Inventory::start().await;
    let response = inventory
        .reserve(
            "o-1",
            &[("MUG-BLU", 1), ("TENT-4P-LTD", 3), ("MUG-2019", 1)],
        )
        .await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    let problem = problem(response).await;
    assert_eq!(problem.kind(), "out-of-stock");
    assert_eq!(
        problem.extensions["skus"],
        json!(["MUG-2019", "TENT-4P-LTD"])
    );
    assert_eq!(
        problem.extensions["shortages"],
        json!([
            { "sku": "MUG-2019", "wanted": 1, "available": 0 },
            { "sku": "TENT-4P-LTD", "wanted": 3, "available": 2 },
        ])
    );
    assert_eq!(inventory.available("MUG-BLU").await, 1_000_000);

    let smaller = inventory.reserve("o-1", &[("TENT-4P-LTD", 2)]).await;
    assert_eq!(
        smaller.status(),
        StatusCode::CREATED,
        "a refused reservation leaves nothing behind"
    );
}

#[tokio::test]
async fn concurrent_reservations_never_oversell() {
    let inventory = Arc::new(Inventory::start().await);
    let mut orders = JoinSet::new();
    for n in 0..20 {
        let inventory = Arc::clone(&inventory);
        orders.spawn(async move {
            let order_id = format!("o-{n}");
            let lines = [("PACK-40-PROTO", 1), ("MUG-BLU", 1)];
            inventory.reserve(&order_id, &lines).await.status()
        });
    }
    let answers = orders.join_all().await;
    let count = |status| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!(
        (count(StatusCode::CREATED), count(StatusCode::CONFLICT)),
        (5, 15),
        "there are five of them: {answers:?}"
    );
    assert_eq!(inventory.available("PACK-40-PROTO").await, 0);
    assert_eq!(inventory.available("MUG-BLU").await, 999_995);
}

#[tokio::test]
async fn concurrent_orders_and_releases_of_the_same_products_all_go_through() {
    let inventory = Arc::new(Inventory::start().await);
    let skus = ["MUG-BLU", "TENT-2P-GRN", "BELL", "TUBE-29-SV", "SCALE"];
    let mut orders = JoinSet::new();
    for n in 0..20 {
        let inventory = Arc::clone(&inventory);
        orders.spawn(async move {
            let mut lines = skus.map(|sku| (sku, 2));
            lines.rotate_left(n % skus.len());
            let order_id = format!("o-{n}");
            let reserved = inventory.reserve(&order_id, &lines).await.status();
            let released = inventory.release(&order_id).await.status();
            (reserved, released)
        });
    }
    for answers in orders.join_all().await {
        assert_eq!(answers, (StatusCode::CREATED, StatusCode::NO_CONTENT));
    }
    for sku in skus {
        assert_eq!(inventory.available(sku).await, 1_000_000, "{sku}");
    }
}

#[tokio::test]
async fn concurrent_requests_for_one_order_reserve_once() {
    let inventory = Arc::new(Inventory::start().await);
    let mut requests = JoinSet::new();
    for _ in 0..10 {
        let inventory = Arc::clone(&inventory);
        requests.spawn(async move { inventory.reserve("o-1", &[("MUG-BLU", 1)]).await.status() });
    }
    let answers = requests.join_all().await;
    let created = answers
        .iter()
        .filter(|status| **status == StatusCode::CREATED)
        .count();
    assert_eq!(created, 1, "{answers:?}");
    assert!(answers.iter().all(|s| s.is_success()), "{answers:?}");
    assert_eq!(inventory.available("MUG-BLU").await, 999_999);
}

#[tokio::test]
async fn a_release_gives_back_once() {
    let inventory = Inventory::start().await;
    inventory
        .reserve("o-1", &[("MUG-BLU", 4), ("TENT-2P-GRN", 1)])
        .await;
    for _ in 0..2 {
        let response = inventory.release("o-1").await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        assert_eq!(inventory.available("MUG-BLU").await, 1_000_000);
        assert_eq!(inventory.available("TENT-2P-GRN").await, 1_000_000);
    }
}

#[tokio::test]
async fn a_released_order_cannot_be_reserved_again() {
    let inventory = Inventory::start().await;
    inventory.reserve("o-1", &[("MUG-BLU", 4)]).await;
    inventory.release("o-1").await;
    let late = inventory.reserve("o-1", &[("MUG-BLU", 4)]).await;
    assert_eq!(late.status(), StatusCode::CONFLICT);
    assert_eq!(problem(late).await.kind(), "reservation-released");
    assert_eq!(inventory.available("MUG-BLU").await, 1_000_000);
}

#[tokio::test]
async fn a_reservation_that_comes_after_its_release_takes_nothing() {
    let inventory = Inventory::start().await;
    inventory.release("o-1").await;
    let late = inventory.reserve("o-1", &[("MUG-BLU", 4)]).await;
    assert_eq!(late.status(), StatusCode::CONFLICT);
    assert_eq!(problem(late).await.kind(), "reservation-released");
    assert_eq!(inventory.available("MUG-BLU").await, 1_000_000);
}

#[tokio::test]
async fn a_sku_with_a_line_break_is_a_400_that_names_its_field() {
    let inventory = Inventory::start().await;
    let lines = [("MUG-BLU", 1), ("MUG-\nBLU", 1)];
    let response = inventory.reserve("o-1", &lines).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let problem = problem(response).await;
    assert_eq!(problem.kind(), "bad-sku");
    assert_eq!(problem.extensions["field"], "lines[1].sku");
    assert_eq!(inventory.available("MUG-BLU").await, 1_000_000);
}

#[tokio::test]
async fn lines_that_cannot_be_are_a_422() {
    let inventory = Inventory::start().await;
    let many: Vec<_> = (0..1_001).map(|n| format!("SKU-{n}")).collect();
    let many: Vec<_> = many.iter().map(|sku| (sku.as_str(), 1)).collect();
    for (lines, kind) in [
        (&[][..], "empty-reservation"),
        (&[("MUG-BLU", 0)], "no-quantity"),
        (&[("MUG-BLU", 1), ("YACHT", 1)], "unknown-sku"),
        (&many, "too-many-products"),
    ] {
        let response = inventory.reserve("o-1", lines).await;
        assert_eq!(
            response.status(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "{kind}"
        );
        assert_eq!(problem(response).await.kind(), kind);
    }
    assert_eq!(inventory.available("MUG-BLU").await, 1_000_000);
}
