//! The code agrees with the architecture chapter: the dependencies of the crates, and no circles of files.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the bans are for what users run")]

mod circles;
mod fuzz;
mod listeners;
mod map;
mod schemas;
