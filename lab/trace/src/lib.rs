//! Spans, trees, OTLP in and out, and the critical path.
//!
//! This crate is the lab's own model of a trace. It holds the data of OTLP, with a type for each kind of
//! value, and nothing about the source of a trace: it must not know the sink, the shop or any other crate of
//! this workspace.
//!
//! ```
//! use std::time::Duration;
//! use trace::{Trace, critical_path};
//!
//! let trace = Trace::new(testing::spans::trace_id(), testing::spans::healthy());
//! let root = trace.roots().next().expect("an order has a root");
//! assert_eq!(trace.span(root).name, "POST /checkout");
//! assert_eq!(critical_path(&trace, root).total(), Duration::from_millis(155));
//! ```

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
mod whole;

/// Text of a span. Up to 24 bytes, which most keys and names are shorter than, stand in it; longer text is allocated.
pub use compact_str::CompactString as Text;

pub use critical_path::{
    CriticalPath, Segment, critical_path, critical_paths, is_message, is_serial, is_within,
    paths_after,
};
pub use id::{SpanId, TraceId};
pub use milliseconds::milliseconds;
pub use span::{Event, Fidelity, Kind, Link, Resource, Scope, Span, Status, StatusCode};
pub use tree::{Top, Trace};
pub use value::{Attributes, Value};
pub use whole::is_whole;
