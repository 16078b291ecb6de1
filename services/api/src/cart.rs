//! A cart: the products that a customer wants to buy.

use serde::{Deserialize, Serialize};

/// A product and its quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartLine {
    /// The stock-keeping unit, such as `TENT-2P-GRN`.
    pub sku: String,
    /// The quantity. The type can hold zero, which no cart may contain: the service refuses it.
    pub quantity: u32,
}

/// The body of `PUT /carts/{id}`: its lines replace the lines of the cart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutCart {
    /// The lines, in the order in which they are shown.
    pub lines: Vec<CartLine>,
}

/// A cart as checkout stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cart {
    /// The id that the client chose.
    pub cart_id: String,
    /// The lines, in the order in which the client sent them.
    pub lines: Vec<CartLine>,
}
