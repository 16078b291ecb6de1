//! Labs whose children are real processes of a script that stands in for `tracelab`.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the bans are for what users run")]

mod flush;
mod restart;
mod stand_in;
mod start;
mod stop;
