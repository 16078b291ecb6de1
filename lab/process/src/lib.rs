//! Starts, watches and ends other programs.
//!
//! [`forward`] reads a program's output to its end; [`LastLines`] keeps the last lines, which say why it
//! ended. [`ports`] finds free ports, [`signals`] ends a program or its whole process group, [`Living`] notes
//! those that must not outlive this process, [`Backoff`] is the wait before a restart, [`memory`] measures the memory
//! of programs.
//!
//! This crate does not know which program it is.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use std::process::Stdio;
//! use process::{LastLines, forward};
//!
//! let mut command = tokio::process::Command::new("echo");
//! let mut child = command.arg("hello").stdout(Stdio::piped()).spawn().unwrap();
//! let last_lines = LastLines::default();
//! forward(child.stdout.take().unwrap(), last_lines.clone(), |_line| {}).await.unwrap();
//! assert_eq!(last_lines.take(), ["hello"]);
//! child.wait().await.unwrap();
//! # });
//! ```
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

mod backoff;
mod last_lines;
mod lines;
mod living;
pub mod memory;
mod output;
pub mod ports;
pub mod signals;

pub use backoff::Backoff;
pub use last_lines::{LastLines, Said};
pub use lines::next_line;
pub use living::{Living, kill_all};
pub use output::forward;
