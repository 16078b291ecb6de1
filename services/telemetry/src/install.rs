//! Sets up the telemetry of a process: the propagator, the resource, the signals, the subscriber.

use std::time::Duration;

use opentelemetry::global;
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, layer::SubscriberExt, registry::LookupSpan, util::SubscriberInitExt,
};

use crate::{
    batch::Counts,
    config::Config,
    error::InstallError,
    layers::{Layers, NoLayers},
    propagation,
    resource::resource,
    signals::traces::{Traces, TracesConfig},
};

/// The log filter unless `RUST_LOG` is set. The service that needs the broker reports its loss once; lapin
/// would report it again.
const DEFAULT_LOG: &str = "warn,lapin=off";

/// The telemetry of a process. Keep it while the process runs, and call [`shutdown`](Telemetry::shutdown) at
/// its end.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// `None` where the process is not instrumented.
    traces: Option<Traces>,
}

// === impl Config ===

impl Config {
    /// Sets up the telemetry of this process, once.
    ///
    /// # Errors
    ///
    /// When the exporter or the export thread cannot be made, and when this process has telemetry already.
    pub fn install(self) -> Result<Telemetry, InstallError> {
        self.install_with(NoLayers)
    }

    /// Sets up the telemetry of this process, once, with `layers` around its span processor and its
    /// propagator.
    ///
    /// # Errors
    ///
    /// As [`install`](Config::install).
    pub fn install_with(self, layers: impl Layers) -> Result<Telemetry, InstallError> {
        let propagator = propagation::composite(&self.propagators);
        global::set_text_map_propagator(layers.propagator(propagator));

        let config = TracesConfig {
            service_name: self.service_name,
            resource: resource(self.service_name, self.service_version),
            sampler: self.sampler,
            batch: self.batch,
            export: self.export,
        };
        let (traces, bridge) = Traces::start(config, &layers)?;
        tracing_subscriber::registry()
            .with(bridge)
            .with(log())
            .try_init()?;
        traces.set_global();
        Ok(Telemetry {
            traces: Some(traces),
        })
    }
}

/// The logs of the services go to standard error; standard output is for machines.
fn log<S>() -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_subscriber::fmt::layer()
        .with_writer(stderr::writer)
        .with_ansi(false)
        // Standard error may be closed, which must not cause a panic.
        .log_internal_errors(false)
        .compact()
        .with_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_LOG)),
        )
}

// === impl Telemetry ===

impl Telemetry {
    /// The telemetry of a process that is not instrumented: it makes no spans and passes no context on.
    pub fn none() -> Telemetry {
        Telemetry { traces: None }
    }

    /// Whether this process takes part in traces, even if it only passes their context on.
    pub fn is_instrumented(&self) -> bool {
        self.traces.is_some()
    }

    /// The numbers of spans that have ended, were exported, and were lost so far.
    pub fn counts(&self) -> Counts {
        self.traces.as_ref().map(Traces::counts).unwrap_or_default()
    }

    /// Exports all spans that have ended, and returns the counts after that.
    pub async fn flush(&self) -> Counts {
        match &self.traces {
            Some(traces) => traces.flush().await,
            None => Counts::default(),
        }
    }

    /// Exports the remaining spans and ends the pipeline. Spans that the receiver has not taken within `limit`
    /// are lost, and counted as failed. Spans that end later are not recorded.
    pub async fn shutdown(self, limit: Duration) -> Counts {
        match self.traces {
            Some(traces) => traces.shutdown(limit).await,
            None => Counts::default(),
        }
    }
}
