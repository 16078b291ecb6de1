//! The messages between the services of the shop: requests, replies, problem details.
//!
//! Each conversation has one file, and [`Problem`] describes a failure. The types are documents and nothing
//! else: `chassis::http` reads them from requests and sends them in replies. This crate knows no service,
//! and imports no other crate of the workspace.
//!
//! Amounts of money are whole cents, as `i64`.

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
