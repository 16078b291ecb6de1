//! [`Layers`]: how a program wraps the span processor and the propagator of its pipeline.
//!
//! This crate contains no layer. Most programs need none.

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::trace::SpanProcessor;

/// The wrappers that a program puts around parts of its pipeline. Each method takes a part and returns its
/// replacement; by default it returns the part itself.
pub trait Layers {
    /// Wraps the span processor: it sees each span when it starts and when it ends.
    fn processor<P>(&self, inner: P) -> impl SpanProcessor + 'static
    where
        P: SpanProcessor + 'static,
    {
        inner
    }

    /// Wraps the propagator: it reads and writes the context of each call and each message.
    fn propagator<P>(&self, inner: P) -> impl TextMapPropagator + Send + Sync + 'static
    where
        P: TextMapPropagator + Send + Sync + 'static,
    {
        inner
    }
}

/// No layers: the pipeline is not wrapped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoLayers;

impl Layers for NoLayers {}
