//! The inventory service over real HTTP, on a real database file.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the bans are for what users run")]

mod catalogue;
#[path = "../../../chassis/tests/support/fresh_database.rs"]
mod fresh_database;
mod reservations;
#[path = "../../../chassis/tests/support/silent_telemetry.rs"]
mod silent_telemetry;
mod support;
