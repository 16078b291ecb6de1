//! The benchmark of collectors: it starts a system under test (SUT), or uses a running one, sends spans to it at a rate,
//! receives what it sends on, and reports the fate of every span, the CPU and memory that a span costs, and the latency
//! that it adds.
//!
//! [`document`] is the result as a document of JSON. This crate must not know the shop.
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

pub mod arm;
pub mod books;
pub mod cores;
pub mod document;
pub mod environment;
pub mod receiving;
pub mod report;
pub mod require;
pub mod search;
pub mod statistics;
pub mod sut;
pub mod usage;
pub mod verbs;
