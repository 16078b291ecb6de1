//! What inventory tells of its products.

use serde::{Deserialize, Serialize};

/// A product as the shop window shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// The stock-keeping unit, such as `TENT-2P-GRN`.
    pub sku: String,
    /// The name for people.
    pub name: String,
    /// The price of one, in cents.
    pub price_cents: i64,
}

/// The reply of `GET /products`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Products {
    /// The products, by SKU.
    pub products: Vec<Product>,
}

/// What one of a product costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// The product.
    pub sku: String,
    /// Its name for people, which the confirmation of an order shows.
    pub name: String,
    /// The price of one, in cents.
    pub price_cents: i64,
}

/// The reply of `GET /prices?sku=A,B`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prices {
    /// A price for each SKU that was asked for, by SKU.
    pub prices: Vec<Price>,
}

/// How many of a product there are to be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockLevel {
    /// The product.
    pub sku: String,
    /// How many are neither sold nor reserved.
    pub available: i64,
}

/// The reply of `GET /stock?sku=A,B`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    /// A level for each SKU that was asked for, by SKU.
    pub stock: Vec<StockLevel>,
}
