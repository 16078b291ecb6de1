//! Labs whose children are real processes of a script that stands in for `tracelab`.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod flush;
mod restart;
mod stand_in;
mod start;
mod stop;
