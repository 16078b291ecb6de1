//! The signals of OpenTelemetry, with one pipeline for each.

pub mod traces;
