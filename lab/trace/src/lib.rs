//! Spans, trees, OTLP in and out, and the critical path.
//!
//! This crate is the lab's own picture of a trace. It holds what OTLP holds, with types that say
//! what a value is, and nothing of how a trace was obtained: it must not know the sink, the shop
//! or any other crate of this workspace.
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

pub mod critical_path;
pub mod id;
mod milliseconds;
pub mod otlp;
pub mod span;
pub mod tree;
pub mod value;

pub use critical_path::{CriticalPath, Segment, critical_path, critical_paths};
pub use id::{SpanId, TraceId};
pub use milliseconds::milliseconds;
pub use span::{Event, Kind, Link, Resource, Scope, Span, Status, StatusCode};
pub use tree::{Top, Trace};
pub use value::{Attributes, Value};
