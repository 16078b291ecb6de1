//! Validates a tracing backend: sends known traces to it, reads them back through its own API, and says, feature by
//! feature, what survived, what was changed and what is lost.
//!
//! [`run`] sends the cases of `backends` over each protocol and waits for them ([`settle`]); what came back is judged by a
//! profile. Then it tries what no single trace shows: how long a trace takes to be readable ([`freshness`]), whether all
//! come back under load ([`load`]), whether searches find what they should ([`search`]), where the limits are
//! ([`limits`]), and what a kill -9 leaves ([`restart`]). A [`Document`] has all of it, and [`report`] prints it.
//!
//! It must not know how a backend is read: that is `backends`.
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

mod context;
mod document;
mod fidelity;
mod freshness;
mod limits;
mod load;
mod matrix;
mod metrics;
pub mod report;
mod restart;
mod run;
mod search;
mod send;
mod settle;
mod started;

pub use context::{Part, Progress, Settings};
pub use document::{CaseResult, Document, Freshness, LimitResult, Summary};
pub use matrix::{Column, ColumnsError, Matrix};
pub use run::{RunError, other_cases, run};
pub use send::{Accepted, Protocol, SendError, Sender, Target, TargetError};
pub use started::{Addresses, StartCommand, StartError, Started};
