//! What tests share. It is a dev-dependency of any crate, and no dependency of one.
//!
//! ```
//! let trace = trace::Trace::new(testing::spans::trace_id(), testing::spans::healthy());
//! assert_eq!(trace.roots().count(), 1);
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a panic is how a test fails"
)]

pub mod corpus;
pub mod spans;
pub mod traces;
