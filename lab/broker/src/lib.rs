//! The embedded AMQP 0-9-1 broker: one node, which refuses what it does not support.
//!
//! It lets the shop run without RabbitMQ, and serves any AMQP 0-9-1 client for what it supports:
//! direct, fanout, topic and headers exchanges, bindings between exchanges, alternate exchanges, `CC` and `BCC`,
//! queues with TTL, length limits and dead-lettering, publisher confirms, `mandatory` returns, consumers with
//! prefetch. Replies, reply codes and `x-death` follow
//! RabbitMQ 3.x, so that a client sees the same answers from both.
//!
//! Unsupported features are refused by name with AMQP's reply code for them, never silently ignored:
//! transactions, priorities, streams, single active consumers, direct reply-to, `immediate`. A quorum queue has one node. There is one virtual host, `/`, and every user name with any
//! password may log in: the broker is made for loopback. `tests/both` checks that the broker and RabbitMQ
//! give the same answers.
//!
//! Durable exchanges, durable queues and the persistent messages in them survive the process if the broker
//! has a file for them ([`Config::store`]): a message is confirmed only after it is in the file. Every
//! message is also held in memory.
//!
//! At its memory limit the broker reads nothing more from connections that publish. As with RabbitMQ, it then
//! reads no acknowledgements from a connection that both publishes and consumes: a client that does much of
//! both should use two connections. This limits the memory of messages, and of data for clients that read
//! slowly, and the exchanges, queues, bindings and consumers. The number of connections is limited by
//! `tcp`.
//!
//! The parts, from the wire inwards:
//!
//! 1. `server` accepts, `handshake` negotiates, `connection` lasts; its `session` reads and answers.
//! 2. `wire` turns octets into frames, `content` frames into messages, `outbox` replies into
//!    octets.
//! 3. `methods` answers one method at a time on the `state`, which one mutex guards and in which
//!    nothing waits. `publish`, `routing`, `delivery` and `dead_letter` move the
//!    messages.
//! 4. `memory` counts what is held and blocks publishers at the limit; `halves` counts what is half received, and
//!    closes the connection that holds too much of it.
//! 5. `journal` notes what must outlive the process, `store` writes it down, `restore` takes it up
//!    again.
//!
//! It must not know the shop or its clients.
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

mod arguments;
mod broker;
mod channel;
mod clock;
mod config;
mod connection;
mod content;
mod copies;
mod dead_letter;
mod delivery;
mod exchange;
mod field_value;
mod halves;
mod handshake;
mod header_match;
mod journal;
mod memory;
mod message;
mod methods;
mod outbox;
mod publish;
mod queue;
mod ready;
mod reply_code;
mod restore;
mod routing;
mod server;
mod session;
mod state;
mod store;
mod topic;
mod topology;
mod wire;

pub use config::{Config, Sync};
pub use server::run;
pub use store::StoreError;
