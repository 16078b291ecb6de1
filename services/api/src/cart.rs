//! A cart: what somebody means to buy.

use serde::{Deserialize, Serialize};

/// A product and how many of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartLine {
    /// The stock-keeping unit, such as `TENT-2P-GRN`.
    pub sku: String,
    /// How many. Zero has a place in the type but not in a cart: it is for the service to refuse.
    pub quantity: u32,
}

/// The body of `PUT /carts/{id}`: the lines replace those that the cart had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutCart {
    /// The lines, in the order in which they are to be shown.
    pub lines: Vec<CartLine>,
}

/// A cart as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cart {
    /// The id that its owner gave it.
    pub cart_id: String,
    /// The lines, in the order in which they were put.
    pub lines: Vec<CartLine>,
}
