//! The guarantees of the services' telemetry, tested on real connections, files and processes.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the bans are for what users run"
)]

mod amqp;
mod baggage;
mod bridge;
mod carrier;
mod exception;
mod export;
mod http_client;
mod http_server;
mod otlp_receiver;
mod recorder;
mod saved_context;
mod server;
mod sql;
mod step;
mod trace_context;
