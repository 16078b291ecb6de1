use std::collections::BTreeSet;

use api::{Prices, Products, Stock};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Inventory, problem};

#[tokio::test]
async fn the_catalogue_fills_a_cart_of_200_lines_that_can_be_reserved() {
    let inventory = Inventory::start().await;
    let window: Products = inventory
        .get("/products?limit=200")
        .await
        .json()
        .await
        .unwrap();
    let skus: BTreeSet<_> = window.products.iter().map(|p| p.sku.as_str()).collect();
    assert_eq!(skus.len(), 200);
    let list: Vec<_> = skus.iter().copied().collect();
    let prices: Prices = inventory
        .get(&format!("/prices?sku={}", list.join(",")))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(prices.prices.len(), 200);

    let lines: Vec<_> = list.iter().map(|sku| (*sku, 3)).collect();
    let response = inventory.reserve("o-1", &lines).await;
    assert_eq!(response.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn the_whole_catalogue_is_shown_unless_a_limit_is_given() {
    let inventory = Inventory::start().await;
    let all: Products = inventory.get("/products").await.json().await.unwrap();
    assert!(all.products.len() >= 240, "{}", all.products.len());
    assert!(
        all.products
            .iter()
            .all(|p| p.price_cents > 0 && !p.name.is_empty())
    );
    let few: Products = inventory
        .get("/products?limit=2")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(few.products, all.products[..2]);
}

#[tokio::test]
async fn prices_are_those_of_the_products_that_were_asked_for() {
    let inventory = Inventory::start().await;
    let prices: Prices = inventory
        .get("/prices?sku=TENT-2P-GRN,MUG-BLU,MUG-BLU")
        .await
        .json()
        .await
        .unwrap();
    let told: Vec<_> = prices
        .prices
        .iter()
        .map(|p| (p.sku.as_str(), p.name.as_str(), p.price_cents))
        .collect();
    assert_eq!(
        told,
        [
            ("MUG-BLU", "Enamel mug, 350 ml, lake blue", 990),
            ("TENT-2P-GRN", "Tent Fjell, 2 persons, moss green", 32_900),
        ]
    );
}

#[tokio::test]
async fn stock_tells_what_is_left() {
    let inventory = Inventory::start().await;
    let stock: Stock = inventory
        .get("/stock?sku=MUG-2019,TENT-2P-GRN")
        .await
        .json()
        .await
        .unwrap();
    let told: Vec<_> = stock
        .stock
        .iter()
        .map(|level| (level.sku.as_str(), level.available))
        .collect();
    assert_eq!(told, [("MUG-2019", 0), ("TENT-2P-GRN", 1_000_000)]);
}

#[tokio::test]
async fn unknown_products_are_a_404_that_names_them() {
    let inventory = Inventory::start().await;
    for path in ["/prices", "/stock"] {
        let response = inventory
            .get(&format!("{path}?sku=MUG-BLU,YACHT,CASTLE"))
            .await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let problem = problem(response).await;
        assert_eq!(problem.kind(), "unknown-sku");
        assert_eq!(problem.extensions["skus"], json!(["CASTLE", "YACHT"]));
    }
}

#[tokio::test]
async fn a_query_without_products_is_a_400() {
    let inventory = Inventory::start().await;
    for path in ["/prices", "/stock?sku=", "/stock?sku=,"] {
        let response = inventory.get(path).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(problem(response).await.kind(), "no-products");
    }
}

#[tokio::test]
async fn a_name_that_is_sql_is_only_an_unknown_product() {
    let inventory = Inventory::start().await;
    let response = inventory.get("/prices?sku=x')%20OR%201=1--").await;
    assert_eq!(problem(response).await.kind(), "unknown-sku");
}
