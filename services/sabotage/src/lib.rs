//! Faults that break tracing itself, for a laboratory: they show what a wrong clock, a lost span or a
//! careless client does to a trace.
//!
//! A real service must contain none of this. [`Sabotage`] wraps the span processor and the propagator of a
//! pipeline from outside, and only where a service honours faults; `telemetry` does not know this crate. The
//! baggage of a request selects the fault, so other requests stay healthy.
//!
//! The functions [`injecting`] and [`below_request`] are for the code of a service that makes a call in a
//! wrong way.

mod event;
mod late;
mod processor;
mod propagator;
mod request;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::trace::SpanProcessor;
use telemetry::Layers;

pub use event::{EVENT, event_attributes};
pub use propagator::{Injection, injecting};
pub use request::{below_request, remember_request};

use crate::{processor::SabotagedProcessor, propagator::SabotagedPropagator};

/// The layers with which a request can ask a service to break tracing.
///
/// ```
/// use sabotage::Sabotage;
///
/// # let lookup = |name: &str| (name == "OTEL_TRACES_EXPORTER").then(|| "none".to_owned());
/// let config = telemetry::Config::from_variables("checkout", "1.0.0", &lookup)?;
/// let telemetry = config.install_with(Sabotage::of("checkout"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Sabotage {
    service: &'static str,
}

// === impl Sabotage ===

impl Sabotage {
    /// The faults that the catalogue has for the service with this name.
    pub fn of(service: &'static str) -> Sabotage {
        Sabotage { service }
    }
}

impl Layers for Sabotage {
    fn processor<P>(&self, inner: P) -> impl SpanProcessor + 'static
    where
        P: SpanProcessor + 'static,
    {
        SabotagedProcessor::new(self.service, inner)
    }

    fn propagator<P>(&self, inner: P) -> impl TextMapPropagator + Send + Sync + 'static
    where
        P: TextMapPropagator + Send + Sync + 'static,
    {
        SabotagedPropagator(inner)
    }
}
