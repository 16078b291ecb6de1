//! Products, prices and stock levels. One query each.

use std::{collections::BTreeSet, time::Duration};

use api::{Price, Prices, Product, Products, Stock, StockLevel};
use axum::extract::State;
use chassis::http::{Json, Query};
use serde::Deserialize;
use sqlx::AssertSqlSafe;
use telemetry::sql::Database;
use tokio::time::Instant;

use crate::{
    Inventory,
    error::Error,
    faulty,
    skus::{SkuQuery, placeholders},
};

/// How long a request for prices takes at the textbook pace.
const PRICES_TIME: Duration = Duration::from_millis(18);

/// How long a request for stock takes at the textbook pace.
const STOCK_TIME: Duration = Duration::from_millis(18);

/// The query of `GET /products`.
#[derive(Debug, Deserialize)]
pub(crate) struct Window {
    /// The number of products; all of them if it is absent.
    limit: Option<u32>,
}

/// `GET /products`: the products of the catalogue page.
pub(crate) async fn products(
    State(inventory): State<Inventory>,
    Query(window): Query<Window>,
) -> Result<Json<Products>, Error> {
    const SQL: &str = "SELECT sku, name, price_cents FROM products ORDER BY position LIMIT $1";
    let database = &inventory.database;
    let limit = window.limit.unwrap_or(u32::MAX);
    let mut connection = database.connection().await?;
    let rows: Vec<(String, String, i64)> = database
        .trace(SQL, |sql| {
            sqlx::query_as(sql)
                .bind(i64::from(limit))
                .fetch_all(&mut *connection)
        })
        .await?;
    let products = rows
        .into_iter()
        .map(|(sku, name, price_cents)| Product {
            sku,
            name,
            price_cents,
        })
        .collect();
    Ok(Json(Products { products }))
}

/// `GET /prices?sku=A,B`: the price of each product.
pub(crate) async fn prices(
    State(inventory): State<Inventory>,
    Query(query): Query<SkuQuery>,
) -> Result<Json<Prices>, Error> {
    let start = Instant::now();
    let skus = query.skus()?;
    if let Some(setting) = inventory.faults.acts(&faults::POOL_EXHAUSTION) {
        faulty::take_connections(&inventory.database, &setting).await;
    }
    let prices = match faulty::select_prices(&inventory, &skus).await? {
        Some(prices) => prices,
        None => select_prices(&inventory.database, &skus).await?,
    };
    all_known(&skus, prices.iter().map(|price| price.sku.as_str()))?;
    inventory.pace.until(start, PRICES_TIME).await;
    Ok(Json(Prices { prices }))
}

/// `GET /stock?sku=A,B`: the stock of each product.
pub(crate) async fn stock(
    State(inventory): State<Inventory>,
    Query(query): Query<SkuQuery>,
) -> Result<Json<Stock>, Error> {
    let start = Instant::now();
    let skus = query.skus()?;
    let stock = select_stock(&inventory.database, &skus).await?;
    all_known(&skus, stock.iter().map(|level| level.sku.as_str()))?;
    inventory.pace.until(start, STOCK_TIME).await;
    Ok(Json(Stock { stock }))
}

async fn select_prices(
    database: &Database,
    skus: &BTreeSet<&str>,
) -> Result<Vec<Price>, sqlx::Error> {
    let sql = format!(
        "SELECT sku, name, price_cents FROM products WHERE sku IN ({}) ORDER BY sku",
        placeholders(skus.len())
    );
    let mut connection = database.connection().await?;
    let rows: Vec<PriceRow> = database
        .trace(&sql, |sql| {
            // Safe: the text contains placeholders, never a value.
            let mut query = sqlx::query_as(AssertSqlSafe(sql));
            for sku in skus {
                query = query.bind((*sku).to_owned());
            }
            query.fetch_all(&mut *connection)
        })
        .await?;
    Ok(rows.into_iter().map(to_price).collect())
}

/// A row of prices: SKU, name, and price in cents.
pub(crate) type PriceRow = (String, String, i64);

pub(crate) fn to_price((sku, name, price_cents): PriceRow) -> Price {
    Price {
        sku,
        name,
        price_cents,
    }
}

/// The stock of each product that the catalogue has.
pub(crate) async fn select_stock(
    database: &Database,
    skus: &BTreeSet<&str>,
) -> Result<Vec<StockLevel>, sqlx::Error> {
    let sql = format!(
        "SELECT sku, available FROM stock WHERE sku IN ({}) ORDER BY sku",
        placeholders(skus.len())
    );
    let mut connection = database.connection().await?;
    let rows: Vec<(String, i64)> = database
        .trace(&sql, |sql| {
            // Safe: the text contains placeholders, never a value.
            let mut query = sqlx::query_as(AssertSqlSafe(sql));
            for sku in skus {
                query = query.bind((*sku).to_owned());
            }
            query.fetch_all(&mut *connection)
        })
        .await?;
    Ok(rows
        .into_iter()
        .map(|(sku, available)| StockLevel { sku, available })
        .collect())
}

fn all_known<'a>(skus: &BTreeSet<&str>, found: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let found: BTreeSet<_> = found.collect();
    let unknown: Vec<_> = skus
        .iter()
        .filter(|sku| !found.contains(*sku))
        .map(|sku| (*sku).to_owned())
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(Error::UnknownProducts(unknown))
    }
}
