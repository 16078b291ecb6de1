//! Starts the telemetry of a service from the standard `OTEL_*` variables.

use telemetry::Telemetry;

use crate::Error;

/// Starts telemetry under the name of the service. It must be called once, within a runtime.
pub fn start_telemetry(name: &'static str, version: &'static str) -> Result<Telemetry, Error> {
    Ok(telemetry::Config::from_env(name, version)?.install()?)
}
