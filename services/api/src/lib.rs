//! The words that the services of the shop say to each other: requests, replies, problem details.
//!
//! One file a conversation, and two for how it is held: [`Json`], [`Query`] and [`Path`] read a
//! request, [`Problem`] refuses one. Nothing here knows what any service does with the words, and
//! nothing here knows a service: this crate imports nothing else of ours.
//!
//! Money is whole cents in an `i64`.

mod body;
mod cart;
mod catalogue;
mod extract;
mod fallback;
mod order;
mod payment;
mod problem;
mod reservation;

pub use self::{
    body::BODY_LIMIT,
    cart::{Cart, CartLine, PutCart},
    catalogue::{Price, Prices, Product, Products, Stock, StockLevel},
    extract::{Json, Path, Query},
    fallback::{method_not_allowed, not_found},
    order::{CheckoutRequest, OrderLine, OrderPlaced, OrderReply, OrderStatus},
    payment::{Card, Charge, ChargeRequest, ChargeStatus},
    problem::Problem,
    reservation::{Reservation, ReserveRequest},
};
