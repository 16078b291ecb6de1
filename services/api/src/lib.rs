//! The words that the services of the shop say to each other: requests, replies, problem details.
//!
//! One file a conversation, and [`Problem`] for when it fails. These are documents and nothing else: how
//! they are read from a request and sent in a reply is in `chassis::http`. Nothing here knows what any
//! service does with the words, and nothing here knows a service: this crate imports nothing else of ours.
//!
//! Money is whole cents in an `i64`.

#![warn(clippy::missing_errors_doc)]

mod cart;
mod catalogue;
mod order;
mod payment;
mod problem;
mod reservation;

pub use self::{
    cart::{Cart, CartLine, PutCart},
    catalogue::{Price, Prices, Product, Products, Stock, StockLevel},
    order::{CheckoutRequest, OrderLine, OrderPlaced, OrderReply, OrderStatus},
    payment::{Card, Charge, ChargeRequest, ChargeStatus},
    problem::Problem,
    reservation::{Reservation, ReserveRequest},
};
