//! The propagation of context across process boundaries: `traceparent`, `tracestate` and `baggage`.
//!
//! The stock propagator is lenient: it accepts headers that the specification tells receivers to discard.
//! Ours follows W3C Trace Context level 2 exactly, and passes the public test suite in strict mode.

pub mod baggage;
mod headers;
mod saved;
mod trace_context;

use opentelemetry::{
    Context,
    baggage::BaggageExt,
    propagation::{TextMapCompositePropagator, TextMapPropagator},
    trace::TraceContextExt,
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

pub use baggage::StrictBaggagePropagator;
pub(crate) use baggage::baggage_alone;
pub(crate) use headers::{HeaderExtractor, HeaderInjector};
pub use saved::SavedContext;
pub(crate) use saved::adopt;
pub use trace_context::StrictTraceContextPropagator;

/// A propagator that `OTEL_PROPAGATORS` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagator {
    /// `tracecontext`: `traceparent` and `tracestate`.
    TraceContext,
    /// `baggage`.
    Baggage,
}

/// Combines the propagators of a process into one.
pub(crate) fn composite(propagators: &[Propagator]) -> TextMapCompositePropagator {
    TextMapCompositePropagator::new(
        propagators
            .iter()
            .map(|propagator| -> Box<dyn TextMapPropagator + Send + Sync> {
                match propagator {
                    Propagator::TraceContext => Box::new(StrictTraceContextPropagator::default()),
                    Propagator::Baggage => Box::new(StrictBaggagePropagator::default()),
                }
            })
            .collect(),
    )
}

/// The id of the trace that the current span belongs to, as 32 hexadecimal digits.
pub fn current_trace_id() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let span_context = span.span_context();
    span_context
        .is_valid()
        .then(|| span_context.trace_id().to_string())
}

/// Records a baggage entry of the current context as an attribute of the current span, if the entry exists.
/// Baggage is passed on with each call, but only code like this puts it on a span.
pub fn record_baggage(key: &'static str) {
    let span = Span::current();
    let context = span.context();
    if let Some(value) = context.baggage().get(key) {
        span.set_attribute(key, value.clone());
    }
}

/// Records an attribute on the current span.
pub fn record_attribute(key: &'static str, value: String) {
    Span::current().set_attribute(key, value);
}

/// The members of the current context's baggage: key, value, and properties separated by semicolons.
pub fn baggage_members() -> Vec<(String, String, String)> {
    members(&Span::current().context())
}

/// The members of a context's baggage.
pub(crate) fn members(context: &Context) -> Vec<(String, String, String)> {
    let baggage = context.baggage();
    let members = baggage.iter();
    members
        .map(|(key, (value, properties))| {
            let key = key.as_str().to_owned();
            (key, value.as_str().into(), properties.as_str().to_owned())
        })
        .collect()
}

/// The `traceresponse` of a context: the trace and the span that a reply comes from, in the format of
/// `traceparent` (Trace Context Response, an editor's draft of the W3C).
pub(crate) fn traceresponse(context: &Context) -> Option<String> {
    // If the span of the context is the caller's, this process made no span: there is none to name.
    let is_ours = !context.span().span_context().is_remote();
    is_ours.then(|| trace_context::traceparent(context))?
}
