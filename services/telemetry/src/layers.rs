//! [`Layers`]: where a program wraps the span processor and the propagator of its pipeline.
//!
//! What a layer does is its own affair: this crate knows of none. Most programs have no use for one.

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::trace::SpanProcessor;

/// What a program puts around the parts of its pipeline. Each method takes a part and returns what
/// stands in its place; by default that is the part itself.
pub trait Layers {
    /// Wraps the span processor: it sees each span when it starts and when it ends.
    fn processor<P>(&self, inner: P) -> impl SpanProcessor + 'static
    where
        P: SpanProcessor + 'static,
    {
        inner
    }

    /// Wraps the propagator: it reads and writes the context of each call and message.
    fn propagator<P>(&self, inner: P) -> impl TextMapPropagator + Send + Sync + 'static
    where
        P: TextMapPropagator + Send + Sync + 'static,
    {
        inner
    }
}

/// Nothing stands between the parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoLayers;

impl Layers for NoLayers {}
