//! The common base of the services of the shop: listener, database, pace, health, flush and clean stop.
//!
//! The `main` of every service has the same steps: [`start_telemetry`], [`listen`], [`DatabaseArgs::open`],
//! [`stop_signal`], and then its own `run(listener, config, telemetry, shutdown)`, which ends in [`serve`].
//! The caller makes the runtime, so that each service can choose its number of threads.
//!
//! ```
//! use axum::{Router, routing::get};
//! use chassis::AllowedHosts;
//! use telemetry::Telemetry;
//! use tokio_util::sync::CancellationToken;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let listener = chassis::listen("127.0.0.1:0".parse()?).await?;
//! let router = Router::new().route("/greeting", get(async || "good day"));
//! let stop = CancellationToken::new();
//! let hosts = AllowedHosts::default();
//! let served = tokio::spawn(chassis::serve(listener, router, hosts, Telemetry::none(), stop.clone()));
//! stop.cancel();
//! served.await??;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate does not know what any service does.

#![warn(clippy::missing_errors_doc)]

pub mod amqp;
mod args;
mod claims;
mod database;
mod error;
pub mod fault_switch;
pub mod http;
mod listen;
mod migrations;
mod pace;
mod serve;
mod standing_faults;
mod stop;
mod telemetry_setup;
mod unusable_fault;

pub use self::{
    args::{ServiceArgs, service_url},
    claims::{Claim, Claims},
    database::{DatabaseArgs, DatabaseError},
    error::Error,
    fault_switch::{FaultSwitch, record_fault},
    listen::{ListenError, listen},
    migrations::schema,
    pace::Pace,
    serve::{serve, serve_behind},
    standing_faults::StandingFaults,
    stop::{Printing, Stop, stop_signal},
    telemetry_setup::start_telemetry,
};
pub use browser_guard::AllowedHosts;
