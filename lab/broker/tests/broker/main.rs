//! The embedded broker over real TCP connections: lapin as a client that expects what RabbitMQ gives,
//! and a bare socket for what no client library would send. One module a concern.
//!
//! What RabbitMQ must do too is in `both`.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../both/mod.rs"]
mod both;
mod bounds;
mod durable;
mod embedded;
mod garbage;
mod half_sent;
mod lacking;
mod refusals;
mod shutdown;

pub(crate) use both::support;
pub(crate) use embedded::TestBroker;
