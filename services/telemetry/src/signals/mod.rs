//! The signals of OpenTelemetry, a pipeline each.

pub mod traces;
