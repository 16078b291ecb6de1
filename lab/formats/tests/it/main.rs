//! Trace files as they come from outside.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod file;
mod from_the_field;
mod large;
mod zipkin;
