//! The payment service over real HTTP, on a real database file, with a real provider. A stand-in takes the
//! provider's place where the provider must misbehave.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the bans are for what users run")]

mod charges;
#[path = "../../../chassis/tests/support/fresh_database.rs"]
mod fresh_database;
mod provider_trouble;
#[path = "../../../chassis/tests/support/silent_telemetry.rs"]
mod silent_telemetry;
mod support;
mod voids;
