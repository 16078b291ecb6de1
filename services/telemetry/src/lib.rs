//! OpenTelemetry for the services of the shop: set-up, strict W3C propagation, and one file for each
//! boundary that context crosses.
//!
//! This is the reference for the instrumentation of a Rust service, and the only crate that sets up the SDK.
//! Read it in this order:
//!
//! 1. [`config`]: what the standard `OTEL_*` variables say.
//! 2. [`install`]: sets up a process from it, with a `resource`, a propagator, and a pipeline for each of the
//!    [`signals`].
//! 3. [`signals::traces`]: sampler → processor → batch → `exporter`, and the bridge from `tracing`.
//! 4. [`batch`]: the queue between a span's end and its export, which counts what it loses.
//! 5. [`propagation`]: `traceparent`, `tracestate` and `baggage`, read strictly.
//! 6. The boundaries: [`http_server`], [`http_client`], [`sql`], [`amqp`].
//! 7. [`step()`]: a span of business code, which records the error of the step; [`exception`] does the
//!    recording.
//! 8. [`layers`]: wrappers for the span processor and the propagator, for programs that need them.
//!
//! ```
//! use telemetry::{Config, Failed, step};
//! use tracing::info_span;
//!
//! async fn count_stock() -> Result<u32, Failed<std::fmt::Error>> {
//!     step(info_span!("count stock"), async { Ok(7) }).await
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! // A service reads the environment: `Config::from_env("inventory", "1.0.0")`.
//! let variables = |name: &str| (name == "OTEL_TRACES_EXPORTER").then(|| "none".to_owned());
//! let telemetry = Config::from_variables("inventory", "1.0.0", &variables)?.install()?;
//! assert_eq!(count_stock().await.map_err(Failed::into_error)?, 7);
//! telemetry.shutdown(std::time::Duration::from_secs(5)).await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Business code does a [`step()`] in a span and names its attributes; it never handles context. It must not
//! know this crate's internals, and this crate must not know the shop.

#![warn(clippy::missing_errors_doc)]

pub mod batch;
mod boundary;
pub mod config;
mod error;
pub mod exception;
mod exporter;
pub mod install;
pub mod layers;
pub mod propagation;
mod resource;
pub mod signals;
mod step;

pub use batch::Counts;
pub use boundary::{amqp, http_client, http_server, sql};
pub use config::{Config, ConfigError};
pub use error::InstallError;
pub use install::Telemetry;
pub use layers::Layers;
pub use propagation::{
    SavedContext, baggage_members, current_trace_id, record_attribute, record_baggage,
};
pub use step::{Failed, step, step_within};
