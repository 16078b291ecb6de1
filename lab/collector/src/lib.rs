//! An OpenTelemetry Collector between the services and the sink.
//!
//! [`Program`] finds a Collector and checks a set-up with it; [`Setup`] is the set-up file, or the two files
//! of an agent and its gateways; [`CollectorEffect`] is the effect of the Collector on traces, read from the file,
//! which says which traces may be missing behind it; [`run`] runs one until it is stopped. [`Configs`] are the set-ups on
//! a Collector's own command line.
//!
//! The files take their addresses from the environment, by the names in [`variable`]. This crate must not
//! know the shop, or which program starts which.
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

mod configs;
mod effect;
mod error;
mod program;
mod run;
mod setup;
pub mod variable;
mod yaml;

pub use self::{
    configs::Configs,
    effect::{CollectorEffect, Room, Sampling},
    error::Error,
    program::Program,
    run::{CollectorRun, NO_OWN_METRICS, Ready, run},
    setup::Setup,
};
