//! The parts of the benchmark with real processes.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod report;
mod stand_in;
mod sut;
mod usage;
