//! OpenTelemetry for the services of the shop: set-up, strict W3C propagation, and one file for
//! each boundary that context crosses.
//!
//! This is the reference for how a Rust service is instrumented, and the only crate that knows the
//! SDK's set-up. Read it in this order:
//!
//! 1. [`config`]: what the standard `OTEL_*` variables say.
//! 2. [`install`]: resource → sampler → batch → exporter, and the bridge from `tracing`.
//! 3. [`batch`]: the queue between a span's end and its export, which counts what it loses.
//! 4. [`propagation`]: `traceparent`, `tracestate` and `baggage`, read strictly.
//! 5. The boundaries: [`http_server`], [`http_client`], [`sql`], [`amqp`].
//! 6. [`exception`]: how an error is recorded.
//! 7. [`layers`]: where a program wraps the processor and the propagator, if it has to.
//!
//! Business code opens a span with `#[tracing::instrument]` and names its attributes; it never
//! touches context. It must not know this crate's insides, and this crate must not know the shop.

pub mod amqp;
pub mod batch;
pub mod config;
mod error;
pub mod exception;
pub mod http_client;
pub mod http_server;
pub mod install;
pub mod layers;
pub mod propagation;
pub mod sql;

pub use batch::Counts;
pub use config::{Config, ConfigError};
pub use error::InstallError;
pub use install::Telemetry;
pub use layers::Layers;
pub use propagation::{
    SavedContext, baggage_members, current_trace_id, record_attribute, record_baggage,
};
