//! Starts the telemetry of a service from the standard `OTEL_*` variables.

use sabotage::Sabotage;
use telemetry::Telemetry;

use crate::{Error, FaultSwitch};

/// Starts telemetry under the name of the service. Call it once, within a runtime. Where faults are
/// honoured, it also installs the faults that break tracing.
///
/// # Errors
///
/// When an `OTEL_*` variable has a value that cannot be used, and when the pipeline cannot be started.
pub fn start_telemetry(
    name: &'static str,
    version: &'static str,
    faults: FaultSwitch,
) -> Result<Telemetry, Error> {
    let config = telemetry::Config::from_env(name, version)?;
    Ok(match faults {
        FaultSwitch::Honoured => config.install_with(Sabotage::of(name))?,
        FaultSwitch::Ignored => config.install()?,
    })
}
