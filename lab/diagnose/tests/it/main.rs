//! The rules on traces of programs of all kinds: each finds what it is for, and leaves alone what only
//! looks alike.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the bans are for what users run")]

mod any_tree;
mod calls;
mod contexts;
mod corpus;
mod field;
mod findings;
mod messages;
mod parts;
mod reports;
mod strange;
mod waits;
