//! The broker over real TCP connections: lapin as a client that expects what RabbitMQ gives, and a bare
//! socket for what no client library would send. One module a concern.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod bounds;
mod consuming;
mod dead_letters;
mod durable;
mod exchanges;
mod garbage;
mod handshake;
mod publishing;
mod queues;
mod quorum;
mod refusals;
mod support;
