//! The OpenTelemetry Collector: a real one loads each set-up in `collector-config/` and gets real traffic,
//! and its output is compared with what the set-up promises.

mod backends;
mod jaeger_and_zipkin;
mod queue;
mod reading;
mod redact;
mod rig;
mod run;
mod sampling;
mod scaled;
mod spanmetrics;

pub(crate) use rig::{set_up, spawn, there_is_a_collector};
