//! Starts the telemetry of a service from the standard `OTEL_*` variables.

use telemetry::Telemetry;

use crate::{Error, FaultSwitch};

/// Starts telemetry under the name of the service. It must be called once, within a runtime.
pub fn start_telemetry(
    name: &'static str,
    version: &'static str,
    faults: FaultSwitch,
) -> Result<Telemetry, Error> {
    let config = telemetry::Config::from_env(name, version)?;
    Ok(config
        .sabotaged(faults == FaultSwitch::Honoured)
        .install()?)
}
