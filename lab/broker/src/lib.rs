//! The embedded AMQP 0-9-1 broker: one node, honest about what it lacks.
//!
//! It lets the shop run without RabbitMQ, and serves any AMQP 0-9-1 client for what it supports:
//! direct, fanout and topic exchanges, queues with TTL, length limits and dead-lettering, publisher
//! confirms, `mandatory` returns, consumers with prefetch. Replies, reply codes and `x-death` follow
//! RabbitMQ 3.x, so that a client sees the same answers from both.
//!
//! What it lacks it says so with the reply code that AMQP has for it, never by silence: headers
//! exchanges, exchange-to-exchange bindings, alternate exchanges, transactions, priorities, streams,
//! `immediate`. A quorum queue is one of a single node. There is one virtual host, `/`, and every user
//! name with any password may log in: it is made for loopback. `tests/both` holds it to RabbitMQ's
//! answers, and RabbitMQ too.
//!
//! Durable exchanges, durable queues and the persistent messages in them survive the process if it
//! has a file to keep them in ([`Config::store`]): a message is confirmed only when it is there. All
//! the same every message is held in memory too.
//!
//! At its memory limit it reads nothing more from connections that publish. As with RabbitMQ, a
//! connection that both publishes and consumes is then not heard when it acknowledges: a client that
//! does much of both uses two connections. Messages are bounded in this way, and what a client is
//! sent that reads slowly; how many connections, queues and bindings there are is not.
//!
//! How it is built, from the wire inwards:
//!
//! 1. `server` accepts, `handshake` negotiates, `connection` lasts; its `session` reads and answers.
//! 2. `wire` turns octets into frames, `content` frames into messages, `outbox` replies into
//!    octets.
//! 3. `methods` answers one method at a time on the `state`, which one mutex guards and in which
//!    nothing waits. `publish`, `delivery` and `dead_letter` move the messages.
//! 4. `memory` counts what is held and blocks publishers at the limit.
//! 5. `journal` notes what must outlive the process, `store` writes it down, `restore` takes it up
//!    again.
//!
//! It must not know the shop, nor who its clients are.
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
mod dead_letter;
mod delivery;
mod exchange;
mod field_value;
mod handshake;
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
