//! Telemetry for tests: spans are made and context is passed on, and nothing is exported.

use std::sync::OnceLock;

use telemetry::Telemetry;

/// The telemetry of this process. A process can have only one, so its tests share it.
pub(crate) fn silent_telemetry() -> Telemetry {
    static TELEMETRY: OnceLock<Telemetry> = OnceLock::new();
    TELEMETRY
        .get_or_init(|| {
            let lookup = |name: &str| (name == "OTEL_TRACES_EXPORTER").then(|| "none".to_owned());
            let config = telemetry::Config::from_variables("test", "0", &lookup).unwrap();
            config.install().unwrap()
        })
        .clone()
}
