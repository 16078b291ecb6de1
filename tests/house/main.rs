//! The house stands as the architecture chapter says: who depends on whom, and no circles of files.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::disallowed_methods, reason = "the bans are for what users run")]

mod circles;
mod map;
