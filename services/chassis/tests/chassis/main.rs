//! The chassis of the shop's services, over real HTTP and on real database files.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the bans are for what users run")]

mod database;
mod faults;
mod refusals;
mod serve;
mod service;
#[path = "../support/silent_telemetry.rs"]
mod silent_telemetry;
