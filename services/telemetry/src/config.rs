//! The configuration from the standard `OTEL_*` variables, checked before anything starts.
//!
//! The SDK reads most of these variables itself and silently falls back to a default where a value is wrong.
//! A laboratory must not run with another sampler than the one it was given, so each value is parsed here,
//! and a wrong value is one clear error. Specification: "OpenTelemetry Environment Variable Specification"
//! and "OTLP Exporter Configuration".

use std::time::Duration;

use opentelemetry_sdk::trace::Sampler;
use thiserror::Error;

use crate::propagation::Propagator;

/// The settings of a service's telemetry.
#[derive(Debug)]
pub struct Config {
    /// `service.name` where neither `OTEL_SERVICE_NAME` nor `OTEL_RESOURCE_ATTRIBUTES` gives one.
    pub service_name: &'static str,
    /// `service.version` where `OTEL_RESOURCE_ATTRIBUTES` gives none.
    pub service_version: &'static str,
    /// The destination of the spans.
    pub export: Export,
    /// The sampler: which traces are recorded.
    pub sampler: Sampler,
    /// The queue in front of the exporter.
    pub batch: BatchConfig,
    /// The propagators: the context that crosses process boundaries.
    pub propagators: Vec<Propagator>,
}

/// The destination of the spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Export {
    /// Nowhere: `OTEL_SDK_DISABLED=true`. No span is made; context that was received is passed on.
    SdkDisabled,
    /// Nowhere: `OTEL_TRACES_EXPORTER=none`. Spans are made and context is passed on.
    None,
    /// To an OTLP receiver.
    Otlp {
        /// The OTLP transport.
        protocol: Protocol,
        /// The endpoint as the variables give it. Over HTTP the exporter adds the path of the signal, as the
        /// variable demands.
        endpoint: String,
        /// How long one try of an export may take.
        timeout: Duration,
    },
}

/// The OTLP transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf bodies.
    HttpProtobuf,
}

/// The queue in front of the exporter, as the `OTEL_BSP_*` variables set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchConfig {
    /// The capacity, in spans; spans that end while the queue is full are dropped and counted.
    pub max_queue_size: usize,
    /// The most spans in one export.
    pub max_export_batch_size: usize,
    /// The longest time that a span waits before it is exported.
    pub schedule_delay: Duration,
    /// How long the export of a batch may take, with all its tries.
    pub export_timeout: Duration,
}

/// A variable whose value cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{variable} is {value:?}; it must be {expected}")]
pub struct ConfigError {
    /// The name of the variable.
    pub variable: &'static str,
    /// Its value.
    pub value: String,
    /// The values that are allowed.
    pub expected: String,
}

// === impl Config ===

impl Config {
    /// Reads the environment of the process.
    ///
    /// # Errors
    ///
    /// When a variable has a value that cannot be used.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads OTEL_* variables"
    )]
    pub fn from_env(
        service_name: &'static str,
        service_version: &'static str,
    ) -> Result<Self, ConfigError> {
        Self::from_variables(service_name, service_version, &|name| {
            std::env::var(name).ok()
        })
    }

    /// Reads the variables through `lookup`. An empty value counts as unset, as the specification demands.
    ///
    /// # Errors
    ///
    /// When a variable has a value that cannot be used.
    pub fn from_variables(
        service_name: &'static str,
        service_version: &'static str,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let variables = Variables { lookup };
        variables.check_resource_attributes()?;
        Ok(Config {
            service_name,
            service_version,
            export: variables.export()?,
            sampler: variables.sampler()?,
            batch: variables.batch()?,
            propagators: variables.propagators()?,
        })
    }
}

impl Default for BatchConfig {
    /// The defaults of the specification.
    fn default() -> Self {
        BatchConfig {
            max_queue_size: 2_048,
            max_export_batch_size: 512,
            schedule_delay: Duration::from_millis(5_000),
            export_timeout: Duration::from_millis(30_000),
        }
    }
}

// === Reading one variable after the other ===

struct Variables<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl Variables<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.trim().is_empty())
    }

    fn export(&self) -> Result<Export, ConfigError> {
        const DISABLED: &str = "OTEL_SDK_DISABLED";
        if let Some(value) = self.get(DISABLED) {
            match value.to_ascii_lowercase().as_str() {
                "true" => return Ok(Export::SdkDisabled),
                "false" => {}
                _ => return Err(wrong(DISABLED, value, "true or false")),
            }
        }
        const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
        match self.get(EXPORTER).as_deref() {
            None | Some("otlp") => {}
            Some("none") => return Ok(Export::None),
            Some(other) => return Err(wrong(EXPORTER, other, "otlp or none")),
        }
        let protocol = self.protocol()?;
        Ok(Export::Otlp {
            protocol,
            endpoint: self.endpoint(protocol)?,
            timeout: self.timeout()?,
        })
    }

    fn protocol(&self) -> Result<Protocol, ConfigError> {
        for variable in [
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        ] {
            match self.get(variable).as_deref() {
                None => {}
                Some("grpc") => return Ok(Protocol::Grpc),
                Some("http/protobuf") => return Ok(Protocol::HttpProtobuf),
                Some(other) => return Err(wrong(variable, other, "grpc or http/protobuf")),
            }
        }
        Ok(Protocol::HttpProtobuf)
    }

    fn endpoint(&self, protocol: Protocol) -> Result<String, ConfigError> {
        for variable in [
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        ] {
            let Some(value) = self.get(variable) else {
                continue;
            };
            let expected = "a URL such as http://127.0.0.1:4317 \
                            (this build speaks no TLS: put a collector before an https endpoint)";
            return match value.parse::<http::Uri>() {
                Ok(uri) if uri.scheme_str() == Some("http") && uri.host().is_some() => Ok(value),
                _ => Err(wrong(variable, value, expected)),
            };
        }
        Ok(match protocol {
            Protocol::Grpc => "http://localhost:4317".to_owned(),
            Protocol::HttpProtobuf => "http://localhost:4318".to_owned(),
        })
    }

    fn timeout(&self) -> Result<Duration, ConfigError> {
        let of_all_signals = self.number("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000)?;
        let of_traces = self.number("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", of_all_signals)?;
        Ok(Duration::from_millis(of_traces))
    }

    fn sampler(&self) -> Result<Sampler, ConfigError> {
        const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
        let parent_based = |root| Sampler::ParentBased(Box::new(root));
        Ok(match self.get(SAMPLER).as_deref() {
            None | Some("parentbased_always_on") => parent_based(Sampler::AlwaysOn),
            Some("always_on") => Sampler::AlwaysOn,
            Some("always_off") => Sampler::AlwaysOff,
            Some("parentbased_always_off") => parent_based(Sampler::AlwaysOff),
            Some("traceidratio") => Sampler::TraceIdRatioBased(self.ratio()?),
            Some("parentbased_traceidratio") => {
                parent_based(Sampler::TraceIdRatioBased(self.ratio()?))
            }
            Some(other) => {
                let expected = "always_on, always_off, traceidratio, parentbased_always_on, \
                                parentbased_always_off or parentbased_traceidratio";
                return Err(wrong(SAMPLER, other, expected));
            }
        })
    }

    fn ratio(&self) -> Result<f64, ConfigError> {
        const ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
        let Some(value) = self.get(ARG) else {
            return Ok(1.0);
        };
        match value.trim().parse::<f64>() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
            _ => Err(wrong(ARG, value, "a ratio from 0.0 to 1.0")),
        }
    }

    fn batch(&self) -> Result<BatchConfig, ConfigError> {
        const SIZE: &str = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE";
        let default = BatchConfig::default();
        let millis = |name, default: Duration| {
            let default = default.as_millis().try_into().unwrap_or(u64::MAX);
            self.number(name, default).map(Duration::from_millis)
        };
        let count = |name, default: usize| {
            let number = self.number(name, default as u64)?;
            usize::try_from(number)
                .ok()
                .filter(|&count| count > 0)
                .ok_or_else(|| wrong(name, number.to_string(), "a number of spans, at least 1"))
        };
        let max_queue_size = count("OTEL_BSP_MAX_QUEUE_SIZE", default.max_queue_size)?;
        let batch_default = default.max_export_batch_size.min(max_queue_size);
        let max_export_batch_size = count(SIZE, batch_default)?;
        if max_export_batch_size > max_queue_size {
            let expected = format!("no more than OTEL_BSP_MAX_QUEUE_SIZE ({max_queue_size})");
            return Err(wrong(SIZE, max_export_batch_size.to_string(), expected));
        }
        Ok(BatchConfig {
            max_queue_size,
            max_export_batch_size,
            schedule_delay: millis("OTEL_BSP_SCHEDULE_DELAY", default.schedule_delay)?,
            export_timeout: millis("OTEL_BSP_EXPORT_TIMEOUT", default.export_timeout)?,
        })
    }

    fn number(&self, variable: &'static str, default: u64) -> Result<u64, ConfigError> {
        let Some(value) = self.get(variable) else {
            return Ok(default);
        };
        value
            .trim()
            .parse()
            .map_err(|_| wrong(variable, value, "a whole number"))
    }

    fn propagators(&self) -> Result<Vec<Propagator>, ConfigError> {
        const PROPAGATORS: &str = "OTEL_PROPAGATORS";
        let names = self
            .get(PROPAGATORS)
            .unwrap_or_else(|| "tracecontext,baggage".to_owned());
        let mut propagators = Vec::new();
        for name in names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            let propagator = match name {
                "tracecontext" => Propagator::TraceContext,
                "baggage" => Propagator::Baggage,
                "none" => return Ok(Vec::new()),
                _ => {
                    let expected = "a comma-separated list of tracecontext and baggage, or none";
                    return Err(wrong(PROPAGATORS, &names, expected));
                }
            };
            // The specification demands that a propagator that is named twice is used once.
            if !propagators.contains(&propagator) {
                propagators.push(propagator);
            }
        }
        Ok(propagators)
    }

    fn check_resource_attributes(&self) -> Result<(), ConfigError> {
        const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let Some(value) = self.get(ATTRIBUTES) else {
            return Ok(());
        };
        let well_formed = value.split_terminator(',').all(|pair| {
            pair.split_once('=')
                .is_some_and(|(key, _)| !key.trim().is_empty())
        });
        if well_formed {
            Ok(())
        } else {
            Err(wrong(
                ATTRIBUTES,
                value,
                "key=value pairs, separated by commas",
            ))
        }
    }
}

fn wrong(
    variable: &'static str,
    value: impl Into<String>,
    expected: impl Into<String>,
) -> ConfigError {
    ConfigError {
        variable,
        value: value.into(),
        expected: expected.into(),
    }
}

#[cfg(test)]
mod tests;
