//! Products, prices and stock, as inventory describes them.

use serde::{Deserialize, Serialize};

/// A product as the catalogue page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// The stock-keeping unit, such as `TENT-2P-GRN`.
    pub sku: String,
    /// The name that is shown to people.
    pub name: String,
    /// The price of one piece, in cents.
    pub price_cents: i64,
}

/// The reply of `GET /products`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Products {
    /// The products, by SKU.
    pub products: Vec<Product>,
}

/// The price of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// The product.
    pub sku: String,
    /// The name that is shown to people; the confirmation of an order contains it.
    pub name: String,
    /// The price of one piece, in cents.
    pub price_cents: i64,
}

/// The reply of `GET /prices?sku=A,B`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prices {
    /// A price for each SKU that was asked for, by SKU.
    pub prices: Vec<Price>,
}

/// The quantity of a product that can be ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockLevel {
    /// The product.
    pub sku: String,
    /// The number of pieces that are neither sold nor reserved.
    pub available: i64,
}

/// The reply of `GET /stock?sku=A,B`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    /// A level for each SKU that was asked for, by SKU.
    pub stock: Vec<StockLevel>,
}
