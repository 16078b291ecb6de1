//! The OpenTelemetry Collector: each set-up in `collector-config/` is loaded by a real one, fed real
//! traffic, and what comes out at its other end is held against what it says.

mod backends;
mod redact;
mod rig;
mod run;
mod sampling;
mod scaled;
mod spanmetrics;

pub(crate) use rig::{set_up, spawn, there_is_a_collector};
