//! Traces: sampler → processor → batch → exporter, and the bridge from `tracing`.
//!
//! Spans are made with `tracing`; the bridge passes them to the OpenTelemetry SDK. Log events do not become
//! span events; otherwise each would be exported twice once logs are exported as well.

use std::time::Duration;

use opentelemetry::{
    global,
    trace::{Tracer, TracerProvider as _, noop::NoopTracer},
};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::{Layer, Registry, filter::filter_fn, registry::LookupSpan};

use crate::{
    batch::{BatchHandle, BatchProcessor, Counts},
    config::{BatchConfig, Export},
    error::InstallError,
    exporter::{Exporter, Patience, Trouble},
    layers::Layers,
};

/// The settings of the trace pipeline.
pub(crate) struct TracesConfig {
    pub(crate) service_name: &'static str,
    pub(crate) resource: Resource,
    pub(crate) sampler: Sampler,
    pub(crate) batch: BatchConfig,
    pub(crate) export: Export,
}

/// The trace pipeline of a process.
#[derive(Clone, Debug)]
pub(crate) struct Traces {
    /// Makes the spans; `None` where the SDK is disabled.
    provider: Option<SdkTracerProvider>,
    /// Exports them; `None` where nothing is exported.
    batch: Option<BatchHandle>,
}

/// The layer between `tracing` and a pipeline.
pub(crate) type Bridge = Box<dyn Layer<Registry> + Send + Sync>;

// === impl Traces ===

impl Traces {
    /// Builds the pipeline, and the bridge that feeds it.
    ///
    /// # Errors
    ///
    /// When the exporter or the export thread cannot be made.
    pub(crate) fn start(
        config: TracesConfig,
        layers: &impl Layers,
    ) -> Result<(Traces, Bridge), InstallError> {
        let builder = SdkTracerProvider::builder()
            .with_resource(config.resource)
            .with_sampler(config.sampler);
        let (provider, batch) = match config.export {
            Export::SdkDisabled => {
                // Received context is still passed on, as the specification demands.
                let silent = Traces {
                    provider: None,
                    batch: None,
                };
                return Ok((silent, bridge(NoopTracer::new()).boxed()));
            }
            Export::None => (builder.build(), None),
            Export::Otlp {
                protocol,
                endpoint,
                timeout,
            } => {
                let patience = Patience {
                    of_a_try: timeout,
                    of_a_batch: config.batch.export_timeout,
                };
                let (receiver, trouble) = (endpoint.clone(), Trouble::default());
                let noted = trouble.clone();
                let exporter = move || Exporter::build(protocol, &receiver, patience, noted);
                let batch = BatchProcessor::start(endpoint, config.batch, trouble, exporter)?;
                let handle = batch.handle();
                let processor = layers.processor(batch);
                (builder.with_span_processor(processor).build(), Some(handle))
            }
        };
        let bridge = bridge(provider.tracer(config.service_name)).boxed();
        let traces = Traces {
            provider: Some(provider),
            batch,
        };
        Ok((traces, bridge))
    }

    /// Makes this the global pipeline, for code that asks OpenTelemetry itself for a tracer.
    pub(crate) fn set_global(&self) {
        if let Some(provider) = &self.provider {
            global::set_tracer_provider(provider.clone());
        }
    }

    /// The number of spans that have ended, and their present states.
    pub(crate) fn counts(&self) -> Counts {
        let batch = self.batch.as_ref();
        batch.map(BatchHandle::counts).unwrap_or_default()
    }

    /// Exports all spans that have ended.
    pub(crate) async fn flush(&self) -> Counts {
        match &self.batch {
            Some(batch) => batch.flush().await,
            None => Counts::default(),
        }
    }

    /// Exports the remaining spans within `limit`, and ends the pipeline.
    pub(crate) async fn shutdown(self, limit: Duration) -> Counts {
        let (Some(batch), Some(provider)) = (self.batch, self.provider) else {
            return Counts::default();
        };
        // The provider's shutdown blocks until the export thread ends: it must not run on a thread of the
        // runtime.
        let stopped =
            tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(limit)).await;
        if let Ok(Err(error)) = stopped {
            tracing::warn!(%error, "the trace pipeline did not stop cleanly");
        }
        batch.counts()
    }
}

// === The bridge ===

/// The bridge from `tracing` spans to OpenTelemetry spans. The layer's default attributes (threads, code
/// locations, busy and idle times) are switched off: a learner should see only the attributes that the
/// conventions name.
///
/// [`Config::install`](crate::Config::install) uses it. Tests use it alone, with a recorder behind the
/// tracer.
pub fn bridge<S, T>(tracer: T) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    T: Tracer<Span: Send + Sync> + Send + Sync + 'static,
{
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_error_fields_to_exceptions(false)
        .with_error_records_to_exceptions(false)
        .with_error_events_to_exceptions(false)
        .with_error_events_to_status(false)
        .with_filter(filter_fn(is_ours))
}

/// Accepts spans of the services, and not the spans that libraries make for their own debugging.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    const LIBRARIES: [&str; 8] = [
        "h2",
        "hyper",
        "hyper_util",
        "lapin",
        "reqwest",
        "sqlx",
        "tonic",
        "tower",
    ];
    let crate_name = metadata.target().split("::").next().unwrap_or_default();
    metadata.is_span()
        && *metadata.level() <= tracing::Level::INFO
        && !LIBRARIES.contains(&crate_name)
}
