//! Loads driven by goose against a small server that answers like the shop, over TCP.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the bans are for what users run"
)]

mod closed;
mod open;
mod process;
mod shop;
mod trouble;
