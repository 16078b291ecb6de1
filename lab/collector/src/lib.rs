//! An OpenTelemetry Collector between the services and the sink.
//!
//! [`Program`] finds one and asks it whether it takes a file; [`Setup`] is the file, or the two of an
//! agent and its gateways; [`CollectorEffect`] is what becomes of traces on their way through it, read from the
//! file, so that whoever checks what comes out knows what may be missing; [`run`] runs one until it is
//! told to stop.
//!
//! The files take their addresses from the environment, by the names in [`variable`]. It must not know
//! the shop, nor who starts what.
#![warn(
    clippy::missing_errors_doc,
    reason = "callers in other crates must know when a call fails"
)]

mod effect;
mod error;
mod program;
mod run;
mod setup;
pub mod variable;
mod yaml;

pub use self::{
    effect::{CollectorEffect, Sampling},
    error::Error,
    program::Program,
    run::{CollectorRun, Ready, run},
    setup::Setup,
};
