//! The documents of the lab's HTTP API, and a client of it.
//!
//! [`LabClient`] asks a lab; the documents are what it sends and gets. The routes are in `control`. This
//! crate knows neither how a lab is started nor how it keeps its traces, so that a program that only
//! talks to a lab does not have to build one.
//!
//! ```
//! use protocol::{LabClient, LabDescription, Pace};
//!
//! let lab = LabClient::new("http://127.0.0.1:8080".parse()?);
//! assert_eq!(lab.url().port(), Some(8080));
//!
//! // What `lab.describe().await` reads.
//! let description: LabDescription = serde_json::from_str(
//!     r#"{
//!         "ready": true, "page": "http://127.0.0.1:8080", "amqp": "", "database": "sqlite",
//!         "otlp_grpc": "http://127.0.0.1:4317", "otlp_http": "http://127.0.0.1:4318",
//!         "pace": "textbook",
//!         "services": { "checkout": { "url": "http://127.0.0.1:8081", "pid": 42 } }
//!     }"#,
//! )?;
//! assert_eq!(description.pace, Some(Pace::Textbook));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(clippy::missing_errors_doc)]

mod client;
mod description;
mod order;
mod pace;
mod problem;
mod stats;
mod summary;

pub use client::{ClientError, LabClient};
pub use description::{Database, LabDescription, ProcessDescription};
pub use order::{MAX_ORDERS, OrderRequest, PlacedOrder, PlacedOrders, Taken};
pub use pace::Pace;
pub use problem::ProblemDetails;
pub use stats::{
    ByteCounts, Forgotten, ReceivedCount, RequestCounts, SpanCounts, Stats, TraceCounts,
};
pub use summary::{TraceList, TraceSummary};
