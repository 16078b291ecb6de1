//! What a trace looks like from outside: read, written, drawn.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod critical_path;
mod id;
mod otlp;
mod otlp_json;
mod tree;
