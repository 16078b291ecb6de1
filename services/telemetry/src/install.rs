//! Resource → sampler → batch → exporter, and the bridge from `tracing`.
//!
//! Spans are made with `tracing`; the bridge hands them to the OpenTelemetry SDK. Log events stay
//! on standard error: they do not become span events, or each would be told twice once logs are
//! exported as well.

use std::{io, time::Duration};

use opentelemetry::{
    KeyValue, global,
    trace::{Tracer, TracerProvider as _, noop::NoopTracer},
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    resource::{ResourceDetector, SdkProvidedResourceDetector},
    trace::SdkTracerProvider,
};
use opentelemetry_semantic_conventions::resource::{
    SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION,
};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer, filter::filter_fn, layer::SubscriberExt, registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::{
    batch::{BatchHandle, BatchProcessor, Counts},
    config::{Config, Export, Protocol},
    error::InstallError,
    layers::{Layers, NoLayers},
    propagation,
};

/// What is logged unless `RUST_LOG` says otherwise. That a broker went away is told by the service
/// that needs it, once; lapin would tell it in its own words as well.
const DEFAULT_LOG: &str = "warn,lapin=off";

/// A running pipeline. Keep it for the life of the process, and call
/// [`shutdown`](Telemetry::shutdown) at its end.
#[derive(Clone, Debug)]
pub struct Telemetry {
    pipeline: Pipeline,
}

#[derive(Clone, Debug)]
enum Pipeline {
    /// No span is made, or none is exported.
    Silent,
    /// Spans flow to an exporter.
    Exporting {
        batch: BatchHandle,
        provider: SdkTracerProvider,
    },
}

// === impl Config ===

impl Config {
    /// Sets up the pipeline for this process, once.
    ///
    /// # Errors
    ///
    /// When the exporter or its thread cannot be made, and when this process has a pipeline already.
    pub fn install(self) -> Result<Telemetry, InstallError> {
        self.install_with(NoLayers)
    }

    /// Sets up the pipeline for this process, once, with `layers` around its processor and its
    /// propagator.
    ///
    /// # Errors
    ///
    /// As [`install`](Config::install).
    pub fn install_with(self, layers: impl Layers) -> Result<Telemetry, InstallError> {
        let propagator = propagation::composite(&self.propagators);
        global::set_text_map_propagator(layers.propagator(propagator));
        // Messages of the services go to standard error; standard output is for machines.
        let log = tracing_subscriber::fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(false)
            // Nobody may be reading; that is no reason to panic.
            .log_internal_errors(false)
            .compact()
            .with_filter(
                EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_LOG)),
            );
        let registry = tracing_subscriber::registry().with(log);

        let builder = SdkTracerProvider::builder()
            .with_resource(resource(self.service_name, self.service_version))
            .with_sampler(self.sampler);
        let (pipeline, provider) = match self.export {
            Export::SdkDisabled => {
                // Context that was received still goes on, as the specification asks.
                registry.with(bridge(NoopTracer::new())).try_init()?;
                return Ok(Telemetry {
                    pipeline: Pipeline::Silent,
                });
            }
            Export::None => (Pipeline::Silent, builder.build()),
            Export::Otlp {
                protocol,
                endpoint,
                timeout,
            } => {
                let exporter = move || exporter(protocol, timeout);
                let batch = BatchProcessor::start(endpoint, self.batch, exporter)?;
                let handle = batch.handle();
                let provider = builder.with_span_processor(layers.processor(batch)).build();
                (
                    Pipeline::Exporting {
                        batch: handle,
                        provider: provider.clone(),
                    },
                    provider,
                )
            }
        };
        registry
            .with(bridge(provider.tracer(self.service_name)))
            .try_init()?;
        global::set_tracer_provider(provider);
        Ok(Telemetry { pipeline })
    }
}

/// Who sends the spans. What the environment says wins over what we know.
fn resource(service_name: &'static str, service_version: &'static str) -> Resource {
    // Asked by itself, this detector lets `OTEL_SERVICE_NAME` win, as the specification says; in the
    // builder `OTEL_RESOURCE_ATTRIBUTES` would. It answers `unknown_service:…` where neither is set.
    let given_name = SdkProvidedResourceDetector
        .detect()
        .get(&SERVICE_NAME.into())
        .filter(|name| !name.as_str().starts_with("unknown_service"));
    let name = given_name.unwrap_or_else(|| service_name.into());
    let mut ours = vec![KeyValue::new(SERVICE_NAME, name)];

    let from_env = Resource::builder().build();
    let given = |key: &'static str| from_env.get(&key.into()).is_some();
    if !given(SERVICE_VERSION) {
        ours.push(KeyValue::new(SERVICE_VERSION, service_version));
    }
    if !given(SERVICE_INSTANCE_ID) {
        let id = uuid::Uuid::new_v4().to_string();
        ours.push(KeyValue::new(SERVICE_INSTANCE_ID, id));
    }
    Resource::builder().with_attributes(ours).build()
}

/// The OTLP exporter. Endpoint, headers and compression are read from the standard variables by its
/// builder; failed exports are retried with backoff by the exporter. It has an HTTP client of ours, since
/// one of its own would need CA certificates.
fn exporter(protocol: Protocol, timeout: Duration) -> Result<SpanExporter, String> {
    let built = match protocol {
        Protocol::Grpc => SpanExporter::builder()
            .with_tonic()
            .with_timeout(timeout)
            .build(),
        Protocol::HttpProtobuf => SpanExporter::builder()
            .with_http()
            .with_timeout(timeout)
            .with_http_client(::http_client::with(|it| it.timeout(timeout)))
            .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
            .build(),
    };
    built.map_err(|error| error.to_string())
}

/// The bridge from `tracing` spans to OpenTelemetry spans. What the layer adds by default (threads,
/// code locations, busy and idle times) is switched off: a learner should see the attributes that
/// the conventions name, and no others.
///
/// [`Config::install`] uses it; by itself it serves tests, which put a recorder behind the tracer.
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

/// Spans of the services, and not those that libraries open for their own debugging.
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

// === impl Telemetry ===

impl Telemetry {
    /// What became of the spans so far.
    pub fn counts(&self) -> Counts {
        match &self.pipeline {
            Pipeline::Silent => Counts::default(),
            Pipeline::Exporting { batch, .. } => batch.counts(),
        }
    }

    /// Exports all spans that have ended, and says what became of them.
    pub async fn flush(&self) -> Counts {
        match &self.pipeline {
            Pipeline::Silent => Counts::default(),
            Pipeline::Exporting { batch, .. } => batch.flush().await,
        }
    }

    /// Exports what is left and ends the pipeline. Spans that end later are not recorded.
    pub async fn shutdown(self) -> Counts {
        match self.pipeline {
            Pipeline::Silent => Counts::default(),
            Pipeline::Exporting { batch, provider } => {
                batch.flush().await;
                // The provider's shutdown waits for the export thread: not on a runtime thread.
                let stopped = tokio::task::spawn_blocking(move || provider.shutdown()).await;
                if let Ok(Err(error)) = stopped {
                    tracing::warn!(%error, "the trace pipeline did not stop cleanly");
                }
                batch.counts()
            }
        }
    }
}
